"""Inverse p-th roots (p a power of two) and Muon's polynomial as optimizers compute them, on torch.bmm in f32.

Each runs until it has converged; the tests for it read one number from the device every iteration, as those optimizers do.
"""

import torch


def coupled_newton(a, p, tolerance=1e-6, most=100):
    """X <- X T, M <- T^p M, T = ((1 + p) I - M) / p: Guo and Higham, SIAM J. Matrix Anal. Appl. 28 (2006); Shampoo's."""
    n = a.shape[-1]
    eye = torch.eye(n, device=a.device)
    z = (1 + p) / (2 * a.flatten(1).norm(dim=1)[:, None, None])
    m = z * a
    x = z.pow(1 / p) * eye
    for _ in range(most):
        t = ((1 + p) * eye - m) / p
        x = x @ t
        power = t
        for _ in range(p.bit_length() - 1):
            power = power @ power
        m = power @ m
        if (m - eye).abs().max().item() < tolerance:
            break
    return x


def _square_roots(a, steps):
    """A^{1/2} and A^{-1/2} of a matrix of norm 1: Y <- Y T, Z <- T Z, with T a polynomial of Z Y that steps() gives."""
    y, z = a, torch.eye(a.shape[-1], device=a.device).expand_as(a)
    for t_of in steps:
        product = z @ y
        t = t_of(product)
        y, z = y @ t, t @ z
    return y, z


def _by_square_roots(a, p, steps):
    """A^{-1/p}: p / 2 times the square root, the last time the inverse one."""
    norm = a.flatten(1).norm(dim=1)[:, None, None]
    y = a / norm
    while p > 2:
        y = _square_roots(y, steps())[0]
        # The root of a matrix of norm 1 has a norm of at most n^{1/4}.
        scale = y.flatten(1).norm(dim=1)[:, None, None]
        y, norm, p = y / scale, norm.sqrt() * scale, p // 2
    return _square_roots(y, steps())[1] / norm.sqrt()


def newton_db(a, p, iterations=30):
    """Denman and Beavers in product form, T = (3 I - Z Y) / 2, to convergence."""
    eye = torch.eye(a.shape[-1], device=a.device)

    def steps():
        state = {"done": False}

        def t_of(product):
            state["done"] = (product - eye).abs().max().item() < 1e-5
            return (3 * eye - product) / 2

        for _ in range(iterations):
            if state["done"]:
                return
            yield t_of

    return _by_square_roots(a, p, steps)


def cans(a, p, lower=1e-3):
    """Cubics that are best on the interval that holds the spectrum (Grishina et al., CANS, arXiv 2506.10935, proposition 2):
    with 3 e^2 = l^2 + l u + u^2 it is (3 e^2 x - x^3) * 2 / (2 e^3 + l^2 u + l u^2), off from 1 by
    (2 e^3 - l^2 u - l u^2) / (2 e^3 + l^2 u + l u^2)."""
    eye = torch.eye(a.shape[-1], device=a.device)

    def steps():
        low, high = lower, 1.0
        while high - low > 1e-6:
            square = (low * low + low * high + high * high) / 3
            cube = 2 * square**1.5
            mixed = low * low * high + low * high * high
            scale = 2 / (cube + mixed)
            yield lambda product, s=scale, q=square: s * (3 * q * eye - product)
            off = (cube - mixed) / (cube + mixed)
            low, high = 1 - off, 1 + off

    return _by_square_roots(a, p, steps)


def muon(g):
    """Five quintic steps in bf16; Jordan et al., Muon (2024)."""
    x = g.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
    return x
