// One persistent thread pool per process, shared by every device and every JavaScript worker.
#pragma once

#include <cstdint>
#include <type_traits>

namespace kronroot::cpu {

// A reference to a callable that takes `Indices`, as cheap as two pointers.
template <typename... Indices>
class BodyOf {
 public:
  template <typename F>
  requires(!std::is_same_v<F, BodyOf>)  // one that is not const is copied, too
      BodyOf(F& callable)               // NOLINT(google-explicit-constructor): meant to be passed a lambda
      : object_(&callable), call_([](void* object, Indices... indices) { (*static_cast<F*>(object))(indices...); }) {}
  void operator()(Indices... indices) const { call_(object_, indices...); }

 private:
  void* object_;
  void (*call_)(void*, Indices...);
};

using Body = BodyOf<int64_t>;              // body(index)
using RunBody = BodyOf<int64_t, int64_t>;  // body(first, last)

enum class Loop { done, cancelled, out_of_memory };

// Runs body(0) .. body(count - 1), each once, on at most `threads` threads, the calling one included, and returns when
// all that were started have ended. Polls *cancel (may be null) before each index. std::bad_alloc thrown by the
// body stops the loop. Concurrent callers share the workers; nobody waits for anybody else's loop.
Loop parallel_for(int64_t count, int threads, const int32_t* cancel, Body body);

// The number of cores that this process may use.
int available_cores();

}  // namespace kronroot::cpu
