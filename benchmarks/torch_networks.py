"""The networks of the product out of PyTorch's own modules, with the same parameters: they must learn alike.

T steps, B windows, F inputs, H hidden units, D features, J outputs; arrays as `stream_lstm.models` has them.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

Array = NDArray[np.float32]
Own = Mapping[str, Array]

_GATES: Final = [1, 2, 3, 0]
"""PyTorch has i, f, g, o; ours are o, i, f, g."""


class Lstm(nn.Module):
    """`lstm`, and with two directions `bilstm`."""

    def __init__(self, own: Own) -> None:
        super().__init__()
        names = [name for name in ("lstm", "lstm_reversed") if name in own]
        hidden, inputs = own["lstm"].shape[0] // 4, own["lstm"].shape[1] - 1 - own["lstm"].shape[0] // 4
        self.lstm = nn.LSTM(inputs, hidden, bidirectional=len(names) == 2)
        self.heads = _linear(own["heads"], own["heads_bias"])
        for name, suffix in zip(names, ("", "_reverse"), strict=False):
            _load_lstm(self.lstm, own[name], inputs, suffix)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        _, (hidden, _) = self.lstm(windows)  # (directions, B, H)
        return self.heads(torch.cat(tuple(hidden), dim=1))


class Attention(nn.Module):
    """`attention`."""

    def __init__(self, own: Own) -> None:
        super().__init__()
        hidden = len(own["query"])
        self.lstm = nn.LSTM(own["lstm"].shape[1] - 1 - hidden, hidden)
        _load_lstm(self.lstm, own["lstm"], self.lstm.input_size, "")
        self.query = _linear(own["query"][:, 1:], own["query"][:, 0])
        self.heads = _linear(own["heads"], own["heads_bias"])

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states, (hidden, _) = self.lstm(windows)  # (T, B, H), (1, B, H)
        states = states.transpose(0, 1)  # (B, T, H)
        context = functional.scaled_dot_product_attention(
            self.query(hidden[0])[:, None], states, states
        )  # (B, 1, H)
        return self.heads(torch.cat([context[:, 0], hidden[0]], dim=1))


class Transformer(nn.Module):
    """`transformer`: nn.TransformerEncoder, pre-norm and causal; its norms' gains and shifts do not learn."""

    def __init__(self, own: Own, heads: int) -> None:
        super().__init__()
        features, wide = own["layer_0_project"].shape[0], own["layer_0_widen"].shape[0]
        count = sum(name.endswith("attend") for name in own)
        self.embedding = _linear(own["embedding"][:, :-1], own["embedding"][:, -1])
        self.positions = nn.Parameter(torch.from_numpy(own["positions"].T.copy()))
        layer = nn.TransformerEncoderLayer(
            features, heads, wide, dropout=0.0, activation=functional.silu, batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(features)
        self.encoder = nn.TransformerEncoder(layer, count, norm, enable_nested_tensor=False)
        self.heads = _linear(own["heads"], own["heads_bias"])
        self.mask = nn.Transformer.generate_square_subsequent_mask(own["positions"].shape[1])
        with torch.no_grad():
            for at, each in enumerate(self.encoder.layers):
                _load_layer(each, own, f"layer_{at}_")
        for each in self.encoder.modules():
            if isinstance(each, nn.LayerNorm):
                each.requires_grad_(False)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        x = self.embedding(windows.transpose(0, 1)) + self.positions  # (B, T, D)
        return self.heads(self.encoder(x, mask=self.mask, is_causal=True)[:, -1])


def trainer(module: nn.Module, rate: float, clip: float) -> Callable[[torch.Tensor, torch.Tensor], float]:
    """An update on windows (T, B, F) and targets (B, J) with fused Adam; says the loss before it."""
    trained = [each for each in module.parameters() if each.requires_grad]
    adam = torch.optim.Adam(trained, lr=rate, fused=True)

    def update(windows: torch.Tensor, targets: torch.Tensor) -> float:
        adam.zero_grad()
        loss = functional.mse_loss(module(windows), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, clip)
        adam.step()
        return float(loss.detach())

    return update


def _linear(weights: Array, bias: Array) -> nn.Linear:
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights.copy()))
        layer.bias.copy_(torch.from_numpy(bias.copy()))
    return layer


@torch.no_grad()
def _load_lstm(lstm: nn.LSTM, weights: Array, inputs: int, suffix: str) -> None:
    gates = weights.reshape(4, len(weights) // 4, -1)[_GATES].reshape(weights.shape)
    whole = torch.from_numpy(gates.copy())
    getattr(lstm, f"weight_ih_l0{suffix}").copy_(whole[:, :inputs])
    getattr(lstm, f"bias_ih_l0{suffix}").copy_(whole[:, inputs])
    getattr(lstm, f"weight_hh_l0{suffix}").copy_(whole[:, inputs + 1 :])
    second = getattr(lstm, f"bias_hh_l0{suffix}")
    second.zero_()
    second.requires_grad_(False)  # a second bias would double the step of the first


def _load_layer(layer: nn.TransformerEncoderLayer, own: Own, prefix: str) -> None:
    attention = layer.self_attn
    attention.in_proj_weight.copy_(torch.from_numpy(own[f"{prefix}attend"][:, :-1].copy()))
    attention.in_proj_bias.copy_(torch.from_numpy(own[f"{prefix}attend"][:, -1].copy()))
    parts = (("project", attention.out_proj), ("widen", layer.linear1), ("narrow", layer.linear2))
    for name, linear in parts:
        linear.weight.copy_(torch.from_numpy(own[prefix + name][:, :-1].copy()))
        linear.bias.copy_(torch.from_numpy(own[prefix + name][:, -1].copy()))
