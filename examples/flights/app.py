"""Answers how likely flights are to arrive more than 15 minutes late: POST /predict, with flights that depart in an hour.

FSTORE=127.0.0.1:6566 uvicorn app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import fstore
import joblib
from fastapi import FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

features = fstore.AsyncClient(os.environ.get("FSTORE", "127.0.0.1:6566"))
model = joblib.load(Path(__file__).with_name("late.joblib"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with features:
        yield


app = FastAPI(lifespan=lifespan)


class Flight(BaseModel):
    origin: str
    dest: str
    carrier: str
    tailnum: str | None = None  # not known of every flight
    distance: float


@app.post("/predict")
async def predict(flights: list[Flight]) -> list[float]:
    try:
        answer = await features.online(model="late@champion", entities=[f.model_dump() for f in flights])
    except fstore.Unavailable as e:
        raise HTTPException(503, str(e)) from e
    scores = await run_in_threadpool(model.predict_proba, answer.to_pandas(keys=False))  # others are answered meanwhile
    return scores[:, 1].tolist()
