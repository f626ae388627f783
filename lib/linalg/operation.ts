// How an op runs: its plan (arguments checked, outputs described) becomes one call of the native module, on this thread or
// on another.
import { checkFields, KronrootError, shown } from '../errors.js'
import { addon, type NativeArgument, translated, type UnreadReports } from '../native/addon.js'
import { checkedShape, type DType, Tensor } from '../tensor.js'
import type { OnFailure } from './options.js'
import { Report, SolveError } from './report.js'

/** An output that the call allocates, or the caller's own, or none. */
export type Output = { readonly shape: readonly number[]; readonly dtype: DType } | Tensor | null

/** One checked call. */
export interface Plan<Result> {
  /** A tensor of the device where the call runs. */
  readonly on: Tensor
  /** Operands in the order of native/addon/operations.cpp: inputs, then outputs. */
  readonly inputs: readonly (Tensor | null)[]
  readonly outputs: readonly Output[]
  /** In the order of the options struct of native/include/kronroot/ops.h. */
  readonly options: readonly NativeArgument[]
  readonly onFailure: OnFailure
  result(outputs: readonly (Tensor | null)[], report: Report | undefined): Result
}

/** What every `.async` takes besides the options of its op. */
export interface Abortable {
  /**
   * Aborted before: nothing is done. Aborted later: the call stops between matrices and iterations; what it finished may
   * already be in `out`. Either way the promise rejects with `signal.reason`.
   */
  readonly signal?: AbortSignal | undefined
}

/** A plan whose outputs are there. */
class Call<Result> {
  readonly #op: string
  readonly #plan: Plan<Result>
  readonly #outputs: (Tensor | null)[] = []

  constructor(op: string, plan: Plan<Result>) {
    this.#op = op
    this.#plan = plan
    const { on } = plan
    try {
      for (const output of plan.outputs) this.#outputs.push(isGiven(output) ? output : fresh(output, on))
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** All arguments of `call` and `submit`, the operation's number first. */
  arguments(operation: number): readonly [number, ...NativeArgument[]] {
    const { inputs, options, onFailure } = this.#plan
    const all: [number, ...NativeArgument[]] = [operation]
    // Nothing is allocated from here to the call: numbers do not keep their tensors alive.
    for (const input of inputs) all.push(input && Tensor.handleOf(input))
    for (const output of this.#outputs) all.push(output && Tensor.handleOf(output))
    all.push(onFailure === 'nan' ? 1 : 0)
    for (const option of options) all.push(option)
    return all
  }

  /** Disposes the outputs that the caller did not give. */
  discard(): void {
    this.#outputs.forEach((output, i) => {
      if (output !== null && output !== this.#plan.outputs[i]) output.dispose()
    })
  }

  finish(records: ArrayBuffer | UnreadReports | undefined): Result {
    const report = records && new Report('count' in records ? records : words(records))
    if (report && this.#plan.onFailure === 'throw' && !report.ok) {
      this.discard()
      throw new SolveError(this.#op, report)
    }
    return this.#plan.result(this.#outputs, report)
  }
}

function isGiven(output: Output): output is Tensor | null {
  return output === null || Tensor.isTensor(output)
}

function fresh({ shape, dtype }: { readonly shape: readonly number[]; readonly dtype: DType }, on: Tensor): Tensor {
  // The shape of a tensor was checked, and it is frozen.
  return Tensor.allocate(on.device, shape === on.shape ? shape : checkedShape(shape), dtype, false)
}

let record = new Int32Array(0)

/**
 * The records as numbers of their own. One record of a synchronous call lies in a buffer that the next call overwrites: such a
 * short array costs a fraction of an ArrayBuffer, which a call on a small matrix would notice.
 */
function words(records: ArrayBuffer): Int32Array<ArrayBuffer> {
  if (records !== addon().record) return new Int32Array(records)
  if (record.buffer !== records) record = new Int32Array(records)
  const copy = new Int32Array(record.length)
  for (let i = 0; i < copy.length; i++) copy[i] = record[i]!
  return copy
}

/**
 * An op and its asynchronous twin.
 *
 * @param op its name, in messages and in the native module's list
 * @param operands how many arguments come before the options
 * @param plan checks the arguments and throws before anything was done
 */
export function operation<Operands extends unknown[], Options extends object, Result>(
  op: string,
  operands: Operands['length'],
  plan: (...args: [...Operands, Options]) => Plan<Result>,
): ((...args: [...Operands, options?: Options]) => Result) & {
  async(...args: [...Operands, options?: Options & Abortable]): Promise<Result>
} {
  let number = -1
  const nativeNumber = (): number => {
    if (number < 0) number = addon().operations.indexOf(op)
    return number
  }
  // Absent options are none; anything that is no object is refused by the plan's own check.
  const planned = (args: unknown[], options: unknown): Plan<Result> => {
    args.length = operands
    args.push(options ?? {})
    return plan(...(args as unknown as [...Operands, Options]))
  }

  const sync = (...args: unknown[]): Result => {
    const call = new Call(op, planned(args, args[operands]))
    try {
      return call.finish(addon().call(...call.arguments(nativeNumber())))
    } catch (error) {
      call.discard()
      throw translated(error)
    }
  }

  const async = async (...args: unknown[]): Promise<Result> => {
    const [options, signal] = withoutSignal(op, args[operands])
    signal?.throwIfAborted()
    const call = new Call(op, planned(args, options))
    let stopListening = () => {}
    try {
      const [job, done] = addon().submit(...call.arguments(nativeNumber()))
      if (signal) {
        const cancel = () => addon().cancel(job)
        signal.addEventListener('abort', cancel, { once: true })
        stopListening = () => signal.removeEventListener('abort', cancel)
      }
      const records = await done
      signal?.throwIfAborted()
      return call.finish(records)
    } catch (error) {
      call.discard()
      signal?.throwIfAborted()
      throw translated(error)
    } finally {
      stopListening()
    }
  }

  return Object.assign(sync, { async }) as ReturnType<typeof operation<Operands, Options, Result>>
}

function withoutSignal(op: string, options: unknown): [options: unknown, signal: AbortSignal | undefined] {
  if (typeof options !== 'object' || options === null || !('signal' in options)) return [options, undefined]
  const { signal, ...rest } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new KronrootError('ERR_OPTION', `${op}: signal must be an AbortSignal, got ${shown(signal)}`)
  }
  return [rest, signal]
}

/** Refuses unknown options; `signal` is only for the asynchronous twin, which takes it off first. */
export function checkOptions(op: string, options: object, allowed: readonly string[]): void {
  if (typeof options === 'object' && options !== null && 'signal' in options) {
    throw new KronrootError('ERR_OPTION', `${op}: signal is an option of ${op}.async`)
  }
  checkFields(op, options, allowed)
}
