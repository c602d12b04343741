"""A KServe transformer: keys come in, and the features of the model version that the predictor serves go to it.

    FEATURES=127.0.0.1:6566 MODEL=churn/2 python transformer.py \
        --model_name churn --predictor_protocol v2 --predictor_host churn-predictor

It speaks the Open Inference Protocol (V2), so Seldon's MLServer can be the predictor as well.
"""

import os

import kserve
from kserve.errors import InvalidInput, ServerNotReady

import fstore

FEATURES = os.environ.get("FEATURES", "127.0.0.1:6566")
MODEL = os.environ.get("MODEL", "churn/1")  # a version and no alias: the predictor serves one version


class Features(kserve.Model):
    """Replaces the keys of a request by features, in the order in which the model learned them."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.client = fstore.AsyncClient(FEATURES, timeout=0.5)
        self.ready = True

    async def preprocess(
        self, payload: kserve.InferRequest, headers: dict[str, str] | None = None
    ) -> kserve.InferRequest:
        """Takes a tensor for each key, and returns a tensor for each feature, to be read as a DataFrame ("pd")."""
        keys = {key.name: key.as_numpy().ravel() for key in payload.inputs}
        try:
            tensors = (await self.client.online(model=MODEL, entities=keys)).to_tensors()
        except fstore.InvalidRequest as error:
            raise InvalidInput(str(error)) from error
        except fstore.Unavailable as error:
            raise ServerNotReady(str(error)) from error
        inputs = [kserve.InferInput(**tensor) for tensor in tensors]
        return kserve.InferRequest(self.name, inputs, payload.id, parameters={"content_type": "pd"})


if __name__ == "__main__":
    arguments = kserve.model_server.parser.parse_args()
    kserve.ModelServer().start([Features(arguments.model_name)])
