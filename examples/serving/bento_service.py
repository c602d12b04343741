"""Predicts as fastapi_app.py does, as a BentoML service.

    FEATURES=127.0.0.1:6566 MODELS=models bentoml serve bento_service:Churn
    curl -H 'Content-Type: application/json' -d '{"customer_id": [12003]}' localhost:3000/predict
"""

import asyncio
import os
from functools import cache
from pathlib import Path
from typing import Any

import bentoml
import joblib
from bentoml.exceptions import InvalidArgument, NotFound, ServiceUnavailable

import fstore

FEATURES = os.environ.get("FEATURES", "127.0.0.1:6566")
MODELS = Path(os.environ.get("MODELS", "models"))
MODEL = os.environ.get("MODEL", "churn@champion")


@cache
def estimator(model: fstore.Version) -> Any:
    """Returns the pipeline of a model version."""
    return joblib.load(MODELS / model.name / f"{model.version}.joblib")


def scores(answer: fstore.Answer) -> list[float]:
    """Predicts with the version that the features are for."""
    return estimator(answer.model).predict_proba(answer.to_pandas(keys=False))[:, 1].tolist()


@bentoml.service
class Churn:
    """Predicts who will order again."""

    def __init__(self) -> None:
        self.client = fstore.AsyncClient(FEATURES, timeout=0.5)

    @bentoml.api
    async def predict(self, customer_id: list[int], model: str = MODEL) -> dict[str, Any]:
        """Returns a score for each row. The answer says which version the alias stood for: that one predicts."""
        try:
            answer = await self.client.online(model=model, entities={"customer_id": customer_id})
        except fstore.InvalidRequest as error:
            raise InvalidArgument(str(error)) from error
        except fstore.NotFound as error:
            raise NotFound(str(error)) from error
        except fstore.Unavailable as error:
            raise ServiceUnavailable(str(error)) from error
        predicted = await asyncio.to_thread(scores, answer)
        return {"model": str(answer.model), "scores": predicted, "published": answer.published}

    async def __is_ready__(self) -> bool:
        """Answers /readyz: whether the features of the model can be looked up."""
        try:
            return bool(await self.client.published(model=MODEL))
        except fstore.Error:
            return False

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Ends the calls that are open."""
        await self.client.close()
