#!/usr/bin/env bash
# Tests and times kronroot on a machine with an NVIDIA GPU, from the archive of `npm run bundle:gpu`.
# Usage: bash run.sh OUT [build] [tests] [conformance] [sanitize] [bench]   (default: all but build; logs and results go to OUT)
#   build: compiles the plugin anew from the checkout that the archive lies in, for this machine's GPU alone.
# LIMIT_<PART> in the environment: seconds that a part may take; LIMIT_PEERS=0: kronroot alone.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
parts=${*:-tests conformance sanitize bench}
work=${KRONROOT_GPU_WORK:-/tmp/kronroot-gpu}
mkdir -p "$work"
[ -x "$work/node" ] || tar -C "$work" -xJf "$here/kronroot-gpu.tar.xz" || exit 1
cd "$work" || exit 1
export KRONROOT_CUDA_PLUGIN=$work/plugins/libkronroot_cuda.so
export PATH=$work:$PATH
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/gpu.txt"

for part in $parts; do
  started=$SECONDS
  echo "== $part"
  case $part in
    build)
      capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
      [ "$capability" = 90 ] && capability=90a
      (cd "$here/.." && "$work/node" scripts/build-cuda.mjs --architectures "$capability-real" --out "$work/plugins") >"$out/kernels.txt" 2>&1 || {
        tail -n 40 "$out/kernels.txt"
        exit 1
      }
      tail -n 1 "$out/kernels.txt"
      ;;
    tests)
      for test in cpp/cuda-*; do
        timeout "${LIMIT_TEST:-60}" "$test" >"$out/last.log" 2>&1
        status=$?
        echo "$(basename "$test"): status $status, $(tail -n 1 "$out/last.log")" | tee -a "$out/tests.txt"
        [ $status -eq 0 ] || { echo "--- $test"; grep -E 'FAILED|error' "$out/last.log" | head -20; head -c 3000 "$out/last.log"; } >>"$out/tests-failed.txt"
      done
      rm -f "$out/last.log"
      ;;
    conformance)
      KRONROOT_TEST_DEVICE=cuda timeout "${LIMIT_CONFORMANCE:-240}" ./node node_modules/vitest/vitest.mjs run --reporter=dot \
        test/conformance test/cuda >"$out/conformance.log" 2>&1
      grep -E '^ (FAIL|×)|Tests|Test Files|Error:' "$out/conformance.log" | sort | uniq -c | sort -rn | head -40
      ;;
    sanitize)
      for tool in memcheck racecheck synccheck initcheck; do
        for test in ${SANITIZE_TESTS:-cpp/cuda-*}; do
          timeout "${LIMIT_SANITIZE:-40}" compute-sanitizer --tool $tool --error-exitcode 9 "$test" >"$out/last.log" 2>&1
          status=$?
          echo "$tool $(basename "$test"): status $status, $(grep 'ERROR SUMMARY\|RACECHECK SUMMARY' "$out/last.log" | tail -n 1)" | tee -a "$out/sanitizer.txt"
          [ $status -eq 9 ] && head -c 4000 "$out/last.log" >>"$out/sanitizer-failed.txt"
        done
      done
      rm -f "$out/last.log"
      ;;
    bench)
      timeout "${LIMIT_BENCH:-120}" ./node bench/gpu/kronroot.mjs $((${LIMIT_BENCH:-120} - 10)) >"$out/kronroot.json" 2>"$out/bench.txt"
      [ "${LIMIT_PEERS:-120}" -eq 0 ] || timeout "${LIMIT_PEERS:-120}" python3 bench/gpu/peers.py $((${LIMIT_PEERS:-120} - 15)) >"$out/peers.json" 2>>"$out/bench.txt"
      ./node bench/gpu/compare.mjs "$out/kronroot.json" "$out/peers.json" >"$out/results.json" 2>>"$out/bench.txt"
      tail -n 80 "$out/bench.txt"
      ;;
    *) echo "no such part: $part" ;;
  esac
  echo "== $part took $((SECONDS - started)) s"
done
