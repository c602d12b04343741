"""Predicts whether orders will be returned, with the version of the model that an alias stands for.

FEATURES=127.0.0.1:6566 MLFLOW_TRACKING_URI=http://127.0.0.1:5000 uvicorn serve:app
curl -H 'Content-Type: application/json' -d '{"customer_id": [12]}' localhost:8000/predict
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mlflow.sklearn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import fstore

FEATURES = os.environ.get("FEATURES", "127.0.0.1:6566")
STATUSES = {fstore.InvalidRequest: 400, fstore.NotFound: 404}  # all else may succeed later
loading: dict[fstore.Version, asyncio.Task[Any]] = {}


class Rows(BaseModel):
    """The keys: one value per row."""

    customer_id: list[int]


def load(model: fstore.Version) -> Any:
    """Returns the pipeline of a model version."""
    return mlflow.sklearn.load_model(f"models:/{model.name}/{model.version}")


async def estimator(model: fstore.Version) -> Any:
    """Returns the pipeline of a model version. It is loaded once, and meanwhile only the requests that need it wait."""
    task = loading.get(model)
    if task is None:
        task = loading[model] = asyncio.create_task(run_in_threadpool(load, model))
    try:
        return await asyncio.shield(task)  # the others need it even if this request is cancelled
    except Exception:
        if loading.get(model) is task:
            del loading[model]  # the next request tries again
        raise


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keeps one client for each worker."""
    async with fstore.AsyncClient(FEATURES, timeout=30) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
async def predict(rows: Rows, request: Request, model: str = "returns@champion") -> dict[str, Any]:
    """Returns a score for each row. The answer says which version the alias stood for: that one predicts."""
    answer = await request.app.state.client.online(model=model, entities=rows.model_dump())
    pipeline = await estimator(answer.model)
    scores = await run_in_threadpool(pipeline.predict_proba, answer.to_pandas(keys=False))
    return {"model": str(answer.model), "scores": scores[:, 1].tolist(), "published": answer.published}


@app.exception_handler(fstore.Error)
async def failed(_: Request, error: fstore.Error) -> JSONResponse:
    """Answers an error of fstore: whether the request is wrong, or may succeed later."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 503)
    return JSONResponse({"error": error.message, "hints": error.hints}, status)
