"""What bots and ops import: predictions as they are said, and commands with their answers.

Talks to Kafka only: nothing here knows a worker's insides, and no worker knows of it.
"""

from stream_lstm.client.admin import ModelAdmin
from stream_lstm.client.predictions import PredictionStream
from stream_lstm.contracts.command import Command
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.reply import Reply
from stream_lstm.errors import BrokerError, CommandFailed, NoAnswer
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.settings.security import Security

__all__ = [
    "BrokerError",
    "Command",
    "CommandFailed",
    "KafkaConnection",
    "ModelAdmin",
    "NoAnswer",
    "Prediction",
    "PredictionStream",
    "Reply",
    "Security",
]
