// One persistent thread pool per process, shared by every device and every JavaScript worker.
#pragma once

#include <cstdint>
#include <type_traits>

namespace kronroot::cpu {

// A reference to a callable, as cheap as two pointers.
class Body {
 public:
  template <typename F>
  requires(!std::is_same_v<F, Body>)  // a Body that is not const is copied, too
      Body(F& callable)               // NOLINT(google-explicit-constructor): meant to be passed a lambda
      : object_(&callable), call_([](void* object, int64_t index) { (*static_cast<F*>(object))(index); }) {}
  void operator()(int64_t index) const { call_(object_, index); }

 private:
  void* object_;
  void (*call_)(void*, int64_t);
};

enum class Loop { done, cancelled, out_of_memory };

// Runs body(0) .. body(count - 1), each once, on at most `threads` threads, the calling one included, and returns when
// all that were started have ended. Polls *cancel (may be null) before each index. std::bad_alloc thrown by the
// body stops the loop. Concurrent callers share the workers; nobody waits for anybody else's loop.
Loop parallel_for(int64_t count, int threads, const int32_t* cancel, Body body);

// The number of cores that this process may use.
int available_cores();

}  // namespace kronroot::cpu
