// The exact Gauss-Newton system of a batch, on the side of the outputs.
import { gram } from '../../linalg/gram.js'
import { matmul } from '../../linalg/matmul.js'
import { qr } from '../../linalg/qr.js'
import { reduce } from '../../linalg/reduce.js'
import { spdSolve } from '../../linalg/spd-solve.js'
import { triangularSolve } from '../../linalg/triangular-solve.js'
import type { FailureLedger } from '../../precondition/recovery.js'
import type { Tensor } from '../../tensor.js'
import type { Gradients } from '../rule.js'
import type { GroupSpace } from './group-space.js'
import type { Residuals } from './residuals.js'

/** J [b c, n]: the Jacobians of the parameters side by side, 0 for those without a gradient. */
export function stackedJacobian({ device, size }: GroupSpace, answer: Residuals, gradients: Gradients): Tensor {
  const rows = answer.residual.length
  const stacked = new Float32Array(rows * size)
  let start = 0
  answer.jacobian.forEach((block, index) => {
    const width = block.length / rows
    for (let row = 0; row < rows && gradients[index]; row++) {
      stacked.set(block.subarray(row * width, (row + 1) * width), row * size + start)
    }
    start += width
  })
  return device.tensor(stacked, [rows, size])
}

/**
 * x [b c, 1] = (Q J J^T + b lambda I)^{-1} r; undefined where it failed, which the ledger counts. Cholesky where Q is the
 * identity, else QR, since the matrix is not symmetric then.
 */
export function solveGaussNewton(
  jacobian: Tensor,
  { batch, residual, hessian }: Residuals,
  lambda: number,
  ledger: FailureLedger,
): Tensor | undefined {
  const { device } = jacobian
  const rows = residual.length
  const outputs = rows / batch
  using kernel = gram(jacobian)
  using right = device.tensor(residual, [rows, 1])
  if (hessian === undefined) {
    const { value, report } = spdSolve(kernel, right, { ridge: { absolute: batch * lambda } })
    if (ledger.record(report).length === 0) return value
    value.dispose()
    return undefined
  }
  using blocks = device.tensor(hessian, [batch, outputs, outputs])
  using byExample = device.wrap(kernel.pointer, [batch, outputs, rows])
  using system = device.tensor(diagonal(rows, batch * lambda), [rows, rows])
  using systemByExample = device.wrap(system.pointer, [batch, outputs, rows])
  matmul(blocks, byExample, { beta: 1, out: systemByExample })
  const { q, r, report } = qr(system)
  using rotation = q!
  using triangle = r
  if (report.status[0] !== 'ok') {
    ledger.record(report)
    return undefined
  }
  using rotated = matmul(rotation, right, { transposeA: true })
  const solved = triangularSolve(triangle, rotated, { upper: true })
  if (ledger.record(solved.report).length === 0) return solved.value
  solved.value.dispose()
  return undefined
}

function diagonal(n: number, value: number): Float32Array {
  const data = new Float32Array(n * n)
  for (let i = 0; i < n; i++) data[i * n + i] = value
  return data
}

/** s^T J^T Q J s / b for a row s [1, n]. */
export function gaussNewtonForm(jacobian: Tensor, { batch, residual, hessian }: Residuals, row: Tensor): number {
  const { device } = jacobian
  using moved = matmul(row, jacobian, { transposeB: true })
  if (hessian === undefined) return reduce(device, 'dot', [{ x: moved }])[0]! / batch
  const outputs = residual.length / batch
  using blocks = device.tensor(hessian, [batch, outputs, outputs])
  using byExample = device.wrap(moved.pointer, [batch, 1, outputs])
  using curved = matmul(byExample, blocks)
  return reduce(device, 'dot', [{ x: moved, y: curved }])[0]! / batch
}
