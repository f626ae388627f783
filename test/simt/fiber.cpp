#include "fiber.hpp"

#include <cstdint>

// Only what the calling convention preserves is saved, so that a switch costs a dozen instructions (swapcontext makes a
// system call for the signal mask as well). The floating point control words are the same in all fibers.
#if defined(__x86_64__)
// System V: rbx, rbp, r12 to r15. The first switch to a fiber pops `enter` and its argument and returns to the
// trampoline.
asm(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, @function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch, .-simt_switch
.globl simt_trampoline
.hidden simt_trampoline
.type simt_trampoline, @function
simt_trampoline:
  movq %r12, %rdi
  call *%rbx
  ud2
.size simt_trampoline, .-simt_trampoline
)");
#elif defined(__aarch64__)
// AAPCS64: x19 to x30 and d8 to d15.
asm(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, %function
simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size simt_switch, .-simt_switch
.globl simt_trampoline
.hidden simt_trampoline
.type simt_trampoline, %function
simt_trampoline:
  mov x0, x20
  blr x19
  brk #1
.size simt_trampoline, .-simt_trampoline
)");
#else
#error "test/simt has no context switch for this processor"
#endif

extern "C" void simt_switch(void** from, void* to);
extern "C" void simt_trampoline();

namespace simt {

void switch_context(Context* from, Context to) { simt_switch(from, to); }

Context make_context(void* stack, std::size_t bytes, void (*enter)(void*), void* argument) {
  auto top = reinterpret_cast<std::uintptr_t>(stack) + bytes;
  top &= ~std::uintptr_t{15};
  auto* word = reinterpret_cast<std::uintptr_t*>(top);
#if defined(__x86_64__)
  // At the trampoline's first instruction rsp is 16-byte aligned, as its call needs.
  *--word = 0;
  *--word = 0;
  *--word = reinterpret_cast<std::uintptr_t>(&simt_trampoline);
  *--word = 0;                                           // rbp
  *--word = reinterpret_cast<std::uintptr_t>(enter);     // rbx
  *--word = reinterpret_cast<std::uintptr_t>(argument);  // r12
  for (int i = 0; i < 3; ++i) *--word = 0;               // r13, r14, r15
#else
  word -= 20;
  for (int i = 0; i < 20; ++i) word[i] = 0;
  word[0] = reinterpret_cast<std::uintptr_t>(enter);              // x19
  word[1] = reinterpret_cast<std::uintptr_t>(argument);           // x20
  word[11] = reinterpret_cast<std::uintptr_t>(&simt_trampoline);  // x30
#endif
  return word;
}

}  // namespace simt
