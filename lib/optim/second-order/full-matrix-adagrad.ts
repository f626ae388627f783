import { checkFields, KronrootError } from '../../errors.js'
import { gram } from '../../linalg/gram.js'
import { inverseRoot } from '../../linalg/inverse-root.js'
import { matmul } from '../../linalg/matmul.js'
import type { ParameterArray } from '../../precondition/arrays.js'
import { elements } from '../../precondition/plan.js'
import { FailureLedger, raiseWhereExhausted } from '../../precondition/recovery.js'
import { type RidgeOption, ridgeAt } from '../../precondition/ridge.js'
import { numberIn } from '../../schedule/validate.js'
import type { Tensor } from '../../tensor.js'
import type { ParameterSpec, Rule } from '../rule.js'
import { arraySlot } from '../slots.js'
import { groupPlan } from './group-plan.js'
import { GroupSpace, type GroupVector } from './group-space.js'

/** Options of {@link fullMatrixAdagrad}. */
export interface FullMatrixAdagradOptions {
  /** Added to S before its root. Default { relative: 1e-6 }. */
  readonly ridge?: RidgeOption
  /** Elements n of a group beyond which the n x n matrix is refused. Default 2048. */
  readonly maxElements?: number
  /** Consecutive failed roots without an error; the parameters stay meanwhile. Default 3. */
  readonly toleratedFailures?: number
}

/** State of {@link fullMatrixAdagrad}. */
export interface FullMatrixAdagradState {
  readonly space: GroupSpace
  /** S [n, n], and the rows of each parameter. */
  readonly statistic: Tensor
  readonly rows: readonly ParameterArray[]
  readonly root: Tensor
  readonly gradient: { readonly matrix: Tensor; readonly vector: GroupVector }
  readonly direction: { readonly matrix: Tensor; readonly vector: GroupVector }
  readonly ledger: FailureLedger
}

/**
 * AdaGrad with its full matrix, over all elements of a group together:
 *
 *     S <- S + g g^T,    D = (S + ridge)^{-1/2} g
 *
 * The measure that Shampoo and GGT approximate; for small problems only. Couples all parameters of a group: without a
 * gradient a parameter adds nothing to S and stands still. Nothing moves before the first gradient other than 0.
 *
 * State: n numbers an element. A step: one rank-one update, one inverse root of order n.
 *
 * Source: Duchi, Hazan and Singer, JMLR 12 (2011), figure 1, full matrices.
 */
export function fullMatrixAdagrad(options: FullMatrixAdagradOptions = {}): Rule<FullMatrixAdagradState> {
  const owner = 'fullMatrixAdagrad'
  checkFields(owner, options, ['ridge', 'maxElements', 'toleratedFailures'])
  const ridge = ridgeAt(owner, options.ridge ?? { relative: 1e-6 })
  const most = numberIn(owner, 'maxElements', options.maxElements ?? 2048, { min: 1, integer: true })
  const tolerated = numberIn(owner, 'toleratedFailures', options.toleratedFailures ?? 3, { min: 0, integer: true })
  return {
    name: owner,
    init: (parameters, device) => {
      refuseLarge(owner, parameters, most)
      const space = new GroupSpace(parameters, device)
      const row = () => {
        const { matrix, vectors } = space.rows(1)
        return { matrix, vector: vectors[0]! }
      }
      const n = space.size
      const statistic = space.tensor([n, n])
      return {
        space,
        statistic,
        rows: parameters.map(({ shape }, index) =>
          space.view(statistic, n * space.starts[index]!, n * elements(shape)),
        ),
        root: space.tensor([n, n]),
        gradient: row(),
        direction: row(),
        ledger: new FailureLedger([`${n} x ${n} statistic`], tolerated),
      }
    },
    update: (gradients, state, { step, clock }) => {
      const { space, statistic, root, gradient, direction, ledger } = state
      clock.time('statistics', () => {
        space.gather(gradients, gradient.vector)
        gram(gradient.matrix, { side: 'right', beta: 1, out: statistic })
      })
      // A sum of squares has a zero trace exactly if nothing has come in.
      if (isZero(space, statistic)) {
        space.clear(direction.vector)
        return space.directions(direction.vector, gradients)
      }
      const failed = clock.time('refresh', () => {
        const { report } = inverseRoot(statistic, { p: 2, ridge: ridge(step), out: root })
        return ledger.record(report).length > 0
      })
      raiseWhereExhausted(owner, [ledger])
      if (failed) return gradients.map(() => null)
      clock.time('apply', () => matmul(gradient.matrix, root, { out: direction.matrix }))
      return space.directions(direction.vector, gradients)
    },
    describe: ({ space }) =>
      groupPlan(owner, space, {
        flopsPerStep: 10 * space.size ** 3,
        matrix: { shape: [space.size, space.size], kernels: ['gram', 'inverseRoot', 'matmul'], calls: 3 },
      }),
    slots: ({ space, rows, ledger }) => [
      ...space.parameters.flatMap(({ name }, index) => arraySlot(`${name}/statistic`, rows[index] as Tensor)),
      ...space.parameters.slice(0, 1).map(({ name }) => arraySlot(`${name}/failures`, ledger.consecutive)),
    ],
    report: ({ ledger }) => [{ factor: 'full matrix', ...ledger.summary() }],
    dispose: ({ space }) => space.dispose(),
  }
}

function isZero(space: GroupSpace, statistic: Tensor): boolean {
  const whole = { whole: statistic, parts: [] }
  return space.dot(whole, whole) === 0
}

function refuseLarge(owner: string, parameters: readonly ParameterSpec[], most: number): void {
  const total = parameters.reduce((sum, { shape }) => sum + elements(shape), 0)
  if (total <= most) return
  throw new KronrootError(
    'ERR_SHAPE',
    `${owner}: the group has ${total} elements and its matrix ${total}^2, which maxElements (${most}) does not allow; ` +
      'shampoo() and ggt() approximate it for large groups',
  )
}
