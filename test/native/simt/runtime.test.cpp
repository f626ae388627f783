// The emulated runtime: streams, events, copies, graphs, errors that surface late, launch limits.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "test/native/simt/kernel.hpp"
#include "test/simt/control.hpp"
#include "test/simt/launch.hpp"

namespace kronroot::test {
namespace {

using namespace cuda;

const simt::Registration test_kernel("test_kernel", __FILE__);

cudaError_t start(cudaStream_t stream, int threads, std::size_t shared_bytes, std::function<void()> body,
                  simt::Grid blocks = {}) {
  return simt::launch(test_kernel, {blocks, threads, shared_bytes}, stream, std::move(body));
}

// A stream in a context that is new before and after.
class Stream {
 public:
  explicit Stream(const simt::Faults& faults = {}) {
    simt::restart(faults);
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
  }
  ~Stream() {
    cudaStreamDestroy(stream_);
    simt::restart();
    cudaGetLastError();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

template <typename T>
T* allocate(cudaStream_t stream, int count) {
  void* memory = nullptr;
  EXPECT(cudaMallocAsync(&memory, static_cast<std::size_t>(count) * sizeof(T), stream) == cudaSuccess);
  return static_cast<T*>(memory);
}

// Holds the stream until it is let go.
class Gate {
 public:
  explicit Gate(cudaStream_t stream) {
    cudaLaunchHostFunc(
        stream,
        [](void* gate) {
          while (!static_cast<Gate*>(gate)->is_open_) std::this_thread::yield();
        },
        this);
  }
  void open() { is_open_ = true; }

 private:
  std::atomic<bool> is_open_{false};
};

TEST("simt: calls return before their work is done, which happens in the order of the stream") {
  const Stream stream;
  Gate gate(stream);
  int* const data = allocate<int>(stream, 32);
  int upload[32], download[32] = {};
  for (int i = 0; i < 32; ++i) upload[i] = i;
  EXPECT(cudaMemcpyAsync(data, upload, sizeof upload, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  // The bytes of pageable memory have been taken.
  std::memset(upload, 0, sizeof upload);
  EXPECT(start(stream, 32, 0, [=] { Global<int>{data}[thread_index()] += 100; }) == cudaSuccess);
  EXPECT(cudaStreamQuery(stream) == cudaErrorNotReady);
  gate.open();
  EXPECT(cudaMemcpyAsync(download, data, sizeof download, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
  EXPECT(cudaFreeAsync(data, stream) == cudaSuccess);
  EXPECT(cudaStreamSynchronize(stream) == cudaSuccess);
  for (int i = 0; i < 32; ++i) EXPECT(download[i] == 100 + i);
}

TEST("simt: copies from pinned memory see what the host writes meanwhile") {
  const Stream stream;
  Gate gate(stream);
  void* pinned = nullptr;
  EXPECT(cudaHostAlloc(&pinned, 4, cudaHostAllocDefault) == cudaSuccess);
  int* const data = allocate<int>(stream, 1);
  *static_cast<int*>(pinned) = 1;
  cudaMemcpyAsync(data, pinned, 4, cudaMemcpyHostToDevice, stream);
  *static_cast<int*>(pinned) = 2;
  gate.open();
  int download = 0;
  cudaMemcpyAsync(&download, data, 4, cudaMemcpyDeviceToHost, stream);
  EXPECT(download == 2);
  cudaFreeAsync(data, stream);
  EXPECT(cudaFreeHost(pinned) == cudaSuccess);
}

TEST("simt: an event orders streams and takes the time") {
  const Stream first;
  cudaStream_t second = nullptr;
  cudaEvent_t before = nullptr, after = nullptr;
  cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&before, 0);
  cudaEventCreateWithFlags(&after, 0);
  int* const data = allocate<int>(first, 1);
  EXPECT(cudaEventQuery(before) == cudaSuccess);
  cudaEventRecord(before, first);
  EXPECT(cudaMemsetAsync(data, 0, 4, first) == cudaSuccess);
  cudaLaunchHostFunc(
      first, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }, nullptr);
  start(first, 1, 0, [=] { Global<int>{data}[0] = 7; });
  cudaEventRecord(after, first);
  EXPECT(cudaStreamWaitEvent(second, after, 0) == cudaSuccess);
  start(second, 1, 0, [=] { Global<int>{data}[0] *= 3; });
  EXPECT(cudaStreamSynchronize(second) == cudaSuccess);
  float milliseconds = 0;
  EXPECT(cudaEventElapsedTime(&milliseconds, before, after) == cudaSuccess && milliseconds >= 5);
  int download = 0;
  cudaMemcpyAsync(&download, data, 4, cudaMemcpyDeviceToHost, second);
  EXPECT(download == 21);
  cudaFreeAsync(data, first);
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  cudaStreamDestroy(second);
}

TEST("simt: a captured graph runs as often as it is launched, and not while it is captured") {
  const Stream stream;
  int* const data = allocate<int>(stream, 1);
  cudaMemsetAsync(data, 0, 4, stream);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  EXPECT(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  start(stream, 1, 0, [=] { Global<int>{data}[0] += 5; });
  EXPECT(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  EXPECT(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  EXPECT(cudaGraphDestroy(graph) == cudaSuccess);
  for (int i = 0; i < 3; ++i) EXPECT(cudaGraphLaunch(exec, stream) == cudaSuccess);
  int download = 0;
  cudaMemcpyAsync(&download, data, 4, cudaMemcpyDeviceToHost, stream);
  EXPECT(download == 15);
  EXPECT(cudaGraphExecDestroy(exec) == cudaSuccess);
  // Waiting for a stream under capture breaks the capture.
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  EXPECT(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported);
  EXPECT(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
  cudaFreeAsync(data, stream);
}

TEST("simt: results do not depend on how blocks are spread over threads of the host") {
  const Stream stream;
  int* const data = allocate<int>(stream, 6 * 4 * 2 * 64);
  start(stream, 64, 0,
        [=] {
          const int64_t block = block_index() + 6 * (block_index_y() + 4 * block_index_z());
          Global<int>{data}[64 * block + thread_index()] = static_cast<int>(block * 1000 + thread_index());
        },
        {6, 4, 2});
  std::vector<int> download(6 * 4 * 2 * 64);
  cudaMemcpyAsync(download.data(), data, download.size() * 4, cudaMemcpyDeviceToHost, stream);
  for (int i = 0; i < 6 * 4 * 2 * 64; ++i) EXPECT(download[static_cast<std::size_t>(i)] == i / 64 * 1000 + i % 64);
  cudaFreeAsync(data, stream);
}

TEST("simt: bug: too many threads, too much shared memory, no blocks: refused by the launch, which may be repeated") {
  const Stream stream;
  EXPECT(start(stream, 1025, 0, [] {}) == cudaErrorInvalidConfiguration);
  EXPECT(cudaGetLastError() == cudaErrorInvalidConfiguration);
  EXPECT(cudaGetLastError() == cudaSuccess);
  EXPECT(start(stream, 32, 227 * 1024 + 1, [] {}) == cudaErrorInvalidConfiguration);
  EXPECT(start(stream, 32, 0, [] {}, {1, 65536, 1}) == cudaErrorInvalidConfiguration);
  EXPECT(start(stream, 32, 0, [] {}, {0, 1, 1}) == cudaErrorInvalidConfiguration);
  EXPECT(start(stream, 1024, 227 * 1024, [] {}) == cudaSuccess);
  EXPECT(cudaStreamSynchronize(stream) == cudaSuccess);
}

TEST("simt: an error of a kernel shows up when the host waits, stays, and names the kernel") {
  const Stream stream;
  const auto outside = [] { Global<int>{nullptr}[0] = 1; };
  EXPECT(start(stream, 1, 0, outside) == cudaSuccess || true);
  EXPECT(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
  EXPECT(cudaGetLastError() == cudaErrorIllegalAddress && cudaGetLastError() == cudaErrorIllegalAddress);
  EXPECT_CONTAINS(simt::last_report(), "test_kernel: access outside of device memory (block 0, 0, 0, thread 0)");
  // Bug: a launch on a lost context.
  EXPECT(start(stream, 1, 0, [] {}) == cudaErrorIllegalAddress);
  void* memory = nullptr;
  EXPECT(cudaMallocAsync(&memory, 4, stream) == cudaErrorIllegalAddress && memory == nullptr);
  simt::restart();
  EXPECT(start(stream, 1, 0, [] {}) == cudaSuccess);
  EXPECT(cudaStreamSynchronize(stream) == cudaSuccess);
}

TEST("simt: each kind of error has the code that hardware gives it") {
  {
    const Stream stream;
    start(stream, 32, 128, [] { (void)SharedArena().take<int>(32).load(0); });
    EXPECT(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  }
  const Stream stream;
  float* const data = allocate<float>(stream, 32);
  start(stream, 1, 0, [=] { (void)load_vector<4>(Global<float>(data), 1); });
  EXPECT(cudaDeviceSynchronize() == cudaErrorMisalignedAddress);
}

TEST("simt: bug: memory used after it was freed in the order of the stream, freed twice, or that is not there") {
  {
    const Stream stream;
    int* const data = allocate<int>(stream, 1);
    EXPECT(cudaFreeAsync(data, stream) == cudaSuccess);
    EXPECT(cudaFreeAsync(data, stream) == cudaErrorInvalidValue);
    EXPECT(cudaFree(data) == cudaErrorInvalidValue);
    EXPECT(cudaMemsetAsync(data, 0, 4, stream) == cudaErrorInvalidValue);
  }
  const Stream stream;
  int* const data = allocate<int>(stream, 1);
  int host = 0;
  EXPECT(cudaMemcpyAsync(&host, data, 8, cudaMemcpyDeviceToHost, stream) == cudaErrorInvalidValue);
  EXPECT(cudaMemcpyAsync(data, data, 4, cudaMemcpyHostToDevice, stream) == cudaErrorInvalidValue);
  cudaFreeAsync(data, stream);
  start(stream, 1, 0, [=] { Global<int>{data}[0] = 1; });
  EXPECT(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
}

TEST("simt: bug: the host reads through an address of the device: the process dies") {
  const Stream stream;
  int* const data = allocate<int>(stream, 1);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    std::signal(SIGBUS, SIG_DFL);
    const int value = *static_cast<volatile int*>(data);
    _exit(value == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT(WIFSIGNALED(status));
  cudaFreeAsync(data, stream);
}

TEST("simt: scripts of faults") {
  EXPECT(!simt::faults_of("no-driver").has_driver && !simt::faults_of("no-device,launch=2").has_device);
  EXPECT(simt::faults_of("no-device,launch=2").launch == 2 && simt::faults_of("architecture=75").architecture == 75);
  EXPECT(simt::faults_of("memory=1000,allocation=3").memory == 1000 && simt::faults_of("allocation=3").allocation == 3);
  {
    const Stream stream(simt::faults_of("allocation=2,memory=1000"));
    void* memory[4] = {};
    EXPECT(cudaMallocAsync(&memory[0], 100, stream) == cudaSuccess);
    EXPECT(cudaMallocAsync(&memory[1], 100, stream) == cudaErrorMemoryAllocation);
    EXPECT(cudaMallocAsync(&memory[2], 901, stream) == cudaErrorMemoryAllocation);
    EXPECT(cudaMallocAsync(&memory[3], 900, stream) == cudaSuccess);
    cudaFreeAsync(memory[0], stream);
    cudaFreeAsync(memory[3], stream);
  }
  {
    const Stream stream(simt::faults_of("launch=2"));
    EXPECT(start(stream, 1, 0, [] {}) == cudaSuccess);
    EXPECT(start(stream, 1, 0, [] {}) == cudaErrorLaunchFailure);
    EXPECT(cudaStreamSynchronize(stream) == cudaErrorLaunchFailure);
  }
  {
    const Stream stream(simt::faults_of("late=1"));
    EXPECT(start(stream, 1, 0, [] {}) == cudaSuccess);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT(start(stream, 1, 0, [] {}) == cudaSuccess);
    EXPECT(cudaStreamSynchronize(stream) == cudaErrorLaunchFailure);
    EXPECT(start(stream, 1, 0, [] {}) == cudaErrorLaunchFailure);
  }
  const Stream stream(simt::faults_of("no-image"));
  EXPECT(start(stream, 1, 0, [] {}) == cudaErrorNoKernelImageForDevice);
  EXPECT(cudaStreamSynchronize(stream) == cudaSuccess);
}

TEST("simt: kernels are listed with their launches") {
  const Stream stream;
  const int64_t before = simt::kernels().at("test_kernel");
  start(stream, 1, 0, [] {});
  cudaStreamSynchronize(stream);
  EXPECT(simt::kernels().at("test_kernel") == before + 1);
  const std::string pretty = "const char* kronroot::cuda::name_of_kernel() [with auto Kernel = kronroot::cuda::";
  const simt::Registration shared((pretty + "scale<float>]").c_str(), "/home/kronroot/native/cuda/qr/large.cu");
  EXPECT(shared.name == "kronroot::cuda::scale<float>");
  const simt::Registration own((pretty + "{anonymous}::scale<float>]").c_str(),
                               "/home/kronroot/native/cuda/qr/large.cu");
  EXPECT(own.name == "kronroot::cuda::scale<float> of qr/large.cu");
}

}  // namespace
}  // namespace kronroot::test
