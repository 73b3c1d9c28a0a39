from pipeline.api import Bundle as Bundle
from pipeline.api import Predictions as Predictions
from pipeline.api import Result as Result
from pipeline.api import load_bundle as load_bundle
from pipeline.api import run as run

API: tuple[str, ...]
