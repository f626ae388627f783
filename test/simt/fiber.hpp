// Fibers: call stacks that give way to each other by hand, one for each thread of an emulated block.
#pragma once

#include <cstddef>

namespace simt {

// Where a suspended fiber goes on: its stack pointer, with the registers that a call preserves on top of the stack.
using Context = void*;

// Saves the running context to `from` and goes on in `to`.
void switch_context(Context* from, Context to);

// A context that, when first switched to, calls enter(argument) on the stack [stack, stack + bytes). enter never
// returns.
Context make_context(void* stack, std::size_t bytes, void (*enter)(void*), void* argument);

}  // namespace simt
