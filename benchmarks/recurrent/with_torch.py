"""The training step in PyTorch: `torch.nn.RNN`, and a loop by hand where there is a leak."""

import platform
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "simulators"))
from protocol import Stopwatch, serve
from training_problem import RATE, problem

built = {}


def build(n, steps, batch, leak):
    """Parameters and the function that makes one training step."""
    torch.set_num_threads(1)
    p = {k: torch.from_numpy(v) for k, v in problem(n, steps, batch).items()}
    out = torch.nn.Linear(n, 2)
    if leak == 1.0:
        rnn = torch.nn.RNN(3, n, batch_first=True)
        with torch.no_grad():
            rnn.weight_hh_l0.copy_(p["W"])
            rnn.weight_ih_l0.copy_(p["B"])
            rnn.bias_hh_l0.zero_()
            rnn.bias_ih_l0.zero_()
        parameters = [*rnn.parameters(), *out.parameters()]
        rates = lambda: rnn(p["u"])[0]
    else:
        W, B, b = (torch.nn.Parameter(x) for x in (p["W"], p["B"], torch.zeros(n)))
        parameters = [W, B, b, *out.parameters()]

        def rates():
            h, kept = torch.zeros(batch, n), []
            driven = p["u"] @ B.T + b
            for k in range(steps):
                h = h + leak * (torch.tanh(h @ W.T + driven[:, k]) - h)
                kept.append(h)
            return torch.stack(kept, 1)

    with torch.no_grad():
        out.weight.copy_(p["out"])
        out.bias.zero_()
    optimizer = torch.optim.SGD(parameters, lr=RATE)

    def step():
        optimizer.zero_grad()
        loss = ((out(rates()) - p["targets"]) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    built["step"] = step
    step_losses = [step()]
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    return {"losses": step_losses, "compile_s": 0.0, "versions": versions}


def run(steps):
    """Training steps."""
    with Stopwatch() as watch:
        losses = [built["step"]() for _ in range(steps)]
    return {"cpu_s": watch.cpu / steps, "wall_s": watch.wall / steps, "losses": losses}


if __name__ == "__main__":
    serve(build, run)
