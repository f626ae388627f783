"""What others take on a GPU for the ops of kronroot: PyTorch (cuSOLVER, cuBLAS, MAGMA), cuSOLVER's XsyevBatched, JAX, CuPy,
and the iterations that optimizers run on torch.bmm (peer_iterations.py).

    python3 bench/gpu/peers.py [SECONDS] > results.json      # progress on standard error; stops when the time is up

Milliseconds a call, medians of CUDA events after a warm-up; relative Frobenius errors against f64 on the same rounded input,
worst of the first eight matrices. Inputs are drawn anew for every op and size: eigenvalues from 1 to 1 / (2 condition) in
geometric progression, a ridge of 1 / (2 condition), as bench/inverse-root.ts has them.
"""

import json
import platform
import statistics
import sys
import time

import torch

from peer_eigh import eigh_peers
from peer_iterations import cans, coupled_newton, muon, newton_db

# torch.linalg.eigh fails with CUSOLVER_STATUS_INTERNAL_ERROR at 65536 matrices of order 4.
SIZES = {4: 16384, 8: 16384, 16: 8192, 32: 4096, 64: 2048, 128: 512, 256: 64, 512: 16, 1024: 8}
CHECKED = 8
QUINTIC = (3.4445, -4.7750, 2.0315)


def spectral(n, batch, condition):
    q, _ = torch.linalg.qr(torch.randn(batch, n, n, dtype=torch.float64, device="cuda"))
    w = torch.logspace(0, -torch.log10(torch.tensor(2.0 * condition)).item(), n, dtype=torch.float64, device="cuda")
    a = (q * w) @ q.mT
    return ((a + a.mT) / 2).float()


def median_ms(call, seconds=0.2, most=30):
    call()
    torch.cuda.synchronize()
    times = []
    while len(times) < 3 or (sum(times) < 1e3 * seconds and len(times) < most):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def relative(x, exact):
    x = torch.as_tensor(x, device="cuda")[:CHECKED].double()
    return ((x - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)).max().item()


def root_by_eigh(a, exponent, epsilon):
    w, v = torch.linalg.eigh(a)
    return (v * (w.clamp(min=0) + epsilon).pow(exponent).unsqueeze(-2)) @ v.mT


def newton_schulz(g, dtype):
    a, b, c = QUINTIC
    x = (g / g.flatten(1).norm(dim=1)[:, None, None]).to(dtype)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * (s @ s)) @ x
    return x


def rows():
    """(op, peer, n, batch, dtype, call, exact): call gives what is compared with exact, or exact is None."""
    compiled_muon = torch.compile(muon, dynamic=False)
    for n, batch in SIZES.items():
        a = spectral(n, batch, 1e4)
        epsilon = 0.5e-4
        first = a[:CHECKED].double()
        values = torch.linalg.eigvalsh(first)
        yield "eigh", "torch", n, batch, "f32", lambda: torch.linalg.eigh(a)[0], values
        for peer, call in eigh_peers(a):
            yield "eigh", peer, n, batch, "f32", call, values
        exact = root_by_eigh(first, -0.25, epsilon)
        yield "inverse root 1/4", "torch eigh", n, batch, "f32", lambda: root_by_eigh(a, -0.25, epsilon), exact
        ridged = a + epsilon * torch.eye(n, device="cuda")
        yield "inverse root 1/4", "coupled Newton", n, batch, "f32", lambda: coupled_newton(ridged, 4), exact
        yield "inverse root 1/4", "Newton-DB", n, batch, "f32", lambda: newton_db(ridged, 4), exact
        yield "inverse root 1/4", "CANS", n, batch, "f32", lambda: cans(ridged, 4), exact
        inverse = lambda: torch.cholesky_inverse(torch.linalg.cholesky(ridged))
        yield "spd inverse", "torch", n, batch, "f32", inverse, torch.linalg.inv(ridged[:CHECKED].double())
        g = torch.randn(batch, n, n, device="cuda")
        polynomial = newton_schulz(g[:CHECKED].double(), torch.float64)
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            yield "newton-schulz", "torch", n, batch, name, lambda: newton_schulz(g, dtype), polynomial
        if n >= 64:
            yield "newton-schulz", "torch.compile", n, batch, "bf16", lambda: compiled_muon(g), polynomial
        b = torch.randn(batch, n, n, device="cuda")
        product = g[:CHECKED].double() @ b[:CHECKED].double()
        for name, tf32 in (("f32", False), ("tf32", True)):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            yield "matmul", "torch", n, batch, name, lambda: g @ b, product
        torch.backends.cuda.matmul.allow_tf32 = False
        gram = g[:CHECKED].double() @ g[:CHECKED].double().mT
        c = torch.zeros(batch, n, n, device="cuda")
        yield "gram", "torch", n, batch, "f32", lambda: torch.baddbmm(c, g, g.mT), gram


def ceilings():
    n = 8192
    x = torch.randn(1 << 28, device="cuda")
    y = torch.empty_like(x)
    found = {"copy GB/s": 2 * x.numel() * 4 / median_ms(lambda: y.copy_(x)) / 1e6}
    for name, dtype, tf32 in (("f32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = torch.randn(n, n, device="cuda").to(dtype), torch.randn(n, n, device="cuda").to(dtype)
        found[f"matmul {name} TF/s"] = 2 * n**3 / median_ms(lambda: a @ b) / 1e9
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


def main():
    properties = torch.cuda.get_device_properties(0)
    machine = {
        "gpu": properties.name,
        "memoryBytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "ceilings": ceilings(),
    }
    print(machine, file=sys.stderr)
    until = time.monotonic() + (float(sys.argv[1]) if len(sys.argv) > 1 else 1e9)
    results = []
    for op, peer, n, batch, dtype, call, exact in rows():
        if time.monotonic() > until:
            print("the time is up", file=sys.stderr)
            break
        row = {"op": op, "peer": peer, "n": n, "batch": batch, "dtype": dtype}
        try:
            row["error"] = relative(call(), exact) if exact is not None else None
            row["ms"] = median_ms(call)
            row["microsecondsEach"] = 1e3 * row["ms"] / batch
        except Exception as failure:  # a peer that fails is a result too
            row["failure"] = f"{type(failure).__name__}: {failure}"[:200]
        results.append(row)
        print(row, file=sys.stderr)
    json.dump({"machine": machine, "rows": results}, sys.stdout, indent=1)


main()
