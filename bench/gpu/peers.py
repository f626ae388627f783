"""What PyTorch (cuSOLVER, cuBLAS, MAGMA) takes on a GPU for the ops of kronroot: the figures that a CUDA backend has to beat.

    python3 bench/gpu/peers.py > results.json      # progress on standard error

Milliseconds a call, medians of CUDA events after a warm-up; relative Frobenius errors against f64 on the same rounded input,
worst of the first eight matrices. Inputs are drawn anew for every op and size: eigenvalues from 1 to 1 / (2 condition) in
geometric progression, a ridge of 1 / (2 condition), as bench/inverse-root.ts has them.
"""

import json
import platform
import statistics
import sys

import torch

# torch.linalg.eigh fails with CUSOLVER_STATUS_INTERNAL_ERROR at 65536 matrices of order 4.
SIZES = {4: 16384, 8: 16384, 16: 8192, 32: 4096, 64: 2048, 128: 512, 256: 64, 512: 16, 1024: 8}
CHECKED = 8
QUINTIC = (3.4445, -4.7750, 2.0315)


def spectral(n, batch, condition):
    q, _ = torch.linalg.qr(torch.randn(batch, n, n, dtype=torch.float64, device="cuda"))
    w = torch.logspace(0, -torch.log10(torch.tensor(2.0 * condition)).item(), n, dtype=torch.float64, device="cuda")
    a = (q * w) @ q.mT
    return ((a + a.mT) / 2).float()


def median_ms(call, seconds=0.4, most=30):
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
    x = x[:CHECKED].double()
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
    for n, batch in SIZES.items():
        a = spectral(n, batch, 1e4)
        epsilon = 0.5e-4
        first = a[:CHECKED].double()
        yield "eigh", n, batch, "f32", median_ms(lambda: torch.linalg.eigh(a)), None
        exact = root_by_eigh(first, -0.25, epsilon)
        root = lambda: root_by_eigh(a, -0.25, epsilon)
        yield "inverse root 1/4", n, batch, "f32", median_ms(root), relative(root(), exact)
        ridged = a + epsilon * torch.eye(n, device="cuda")
        inverse = lambda: torch.cholesky_inverse(torch.linalg.cholesky(ridged))
        yield "spd inverse", n, batch, "f32", median_ms(inverse), relative(inverse(), torch.linalg.inv(ridged[:CHECKED].double()))
        g = torch.randn(batch, n, n, device="cuda")
        polynomial = newton_schulz(g[:CHECKED].double(), torch.float64)
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            run = lambda: newton_schulz(g, dtype)
            yield "newton-schulz", n, batch, name, median_ms(run), relative(run(), polynomial)
        b = torch.randn(batch, n, n, device="cuda")
        product = g[:CHECKED].double() @ b[:CHECKED].double()
        for name, tf32 in (("f32", False), ("tf32", True)):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            yield "matmul", n, batch, name, median_ms(lambda: g @ b), relative(g @ b, product)
        torch.backends.cuda.matmul.allow_tf32 = False


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
    results = []
    for op, n, batch, dtype, ms, error in rows():
        results.append({"op": op, "n": n, "batch": batch, "dtype": dtype, "ms": ms, "microsecondsEach": 1e3 * ms / batch, "error": error})
        print(f"{op:18} {n:5} {batch:6} {dtype:5} {ms:10.3f} ms {1e3 * ms / batch:10.4f} us each  error {error}", file=sys.stderr)
    json.dump({"machine": machine, "rows": results}, sys.stdout, indent=1)


main()
