"""Predicts with the model version that an alias stands for, from the features that are pinned to that version.

    FEATURES=127.0.0.1:6566 MODELS=models uvicorn fastapi_app:app
    curl -H 'Content-Type: application/json' -d '{"customer_id": [12003]}' localhost:8000/predict
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import fstore

FEATURES = os.environ.get("FEATURES", "127.0.0.1:6566")
MODELS = Path(os.environ.get("MODELS", "models"))
MODEL = os.environ.get("MODEL", "churn@champion")
MAX_AGE = timedelta(hours=float(os.environ.get("MAX_AGE_HOURS", "26")))

STATUSES = {fstore.InvalidRequest: 400, fstore.NotFound: 404, fstore.Unavailable: 503}  # all else is 500


class Rows(BaseModel):
    """The keys: one value per row."""

    customer_id: list[int]


@cache
def estimator(model: fstore.Version) -> Any:
    """Returns the pipeline of a model version."""
    return joblib.load(MODELS / model.name / f"{model.version}.joblib")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keeps one client for each worker."""
    async with fstore.AsyncClient(FEATURES, timeout=0.5) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def predict(rows: Rows, request: Request, model: str = MODEL) -> dict[str, Any]:
    """Returns a score for each row. The answer says which version the alias stood for: that one predicts."""
    answer = await request.app.state.client.online(model=model, entities=rows.model_dump())
    pipeline = await run_in_threadpool(estimator, answer.model)
    scores = await run_in_threadpool(pipeline.predict_proba, answer.to_pandas(keys=False))
    return {"model": str(answer.model), "scores": scores[:, 1].tolist(), "published": answer.published}


@app.get("/health")
async def health(request: Request, response: Response) -> dict[str, Any]:
    """Reports whether the features are fresh, and as of when each view is."""
    published = await request.app.state.client.published(model=MODEL)
    oldest = datetime.now(timezone.utc) - MAX_AGE
    fresh = all(at >= oldest for at in published.values())
    response.status_code = 200 if fresh else 503
    return {"fresh": fresh, "published": published}


@app.exception_handler(fstore.Error)
async def failed(_: Request, error: fstore.Error) -> JSONResponse:
    """Answers an error with what a caller can do about it."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
    return JSONResponse({"error": error.message, "hints": error.hints}, status)
