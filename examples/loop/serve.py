"""Predicts whether orders will be returned, with the version of the model that an alias stands for.

FEATURES=127.0.0.1:6566 MLFLOW_TRACKING_URI=http://127.0.0.1:5000 uvicorn serve:app
curl -H 'Content-Type: application/json' -d '{"customer_id": [12]}' localhost:8000/predict
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from threading import Lock
from typing import Any

import mlflow.sklearn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import fstore

FEATURES = os.environ.get("FEATURES", "127.0.0.1:6566")
loading = Lock()


class Rows(BaseModel):
    """The keys: one value per row."""

    customer_id: list[int]


@cache
def loaded(model: fstore.Version) -> Any:
    """Returns the pipeline of a model version."""
    return mlflow.sklearn.load_model(f"models:/{model.name}/{model.version}")


def estimator(model: fstore.Version) -> Any:
    """Returns the pipeline of a model version. It is loaded once, however many requests need it at the same time."""
    with loading:
        return loaded(model)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keeps one client for each worker."""
    async with fstore.AsyncClient(FEATURES, timeout=5) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def predict(rows: Rows, request: Request, model: str = "returns@champion") -> dict[str, Any]:
    """Returns a score for each row. The answer says which version the alias stood for: that one predicts."""
    answer = await request.app.state.client.online(model=model, entities=rows.model_dump())
    pipeline = await run_in_threadpool(estimator, answer.model)
    scores = await run_in_threadpool(pipeline.predict_proba, answer.to_pandas(keys=False))
    return {"model": str(answer.model), "scores": scores[:, 1].tolist(), "published": answer.published}


@app.exception_handler(fstore.Error)
async def failed(_: Request, error: fstore.Error) -> JSONResponse:
    """Answers an error of fstore."""
    return JSONResponse({"error": error.message, "hints": error.hints}, 503)
