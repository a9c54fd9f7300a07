"""N-gram addressing as the published scheme states it, in numpy: the rival of Engram's addressing benchmark.

usage: python3 addressing_numpy.py [TOKENS ...]

Prints JSON. For each batch length: tokens per second with the remainder operator, as published, and with the remainder
taken from numpy's floor division, which is vectorised; and a checksum of the rows, the sum of row * (2 * index + 1)
modulo 2^64 over the array [token, column], so that both programs can show that they compute the same.
"""

import json
import statistics
import sys
import time

import numpy as np

VOCABULARY = 98_627
LAYER = 1
SLOTS = 2_262_400
ORDERS = (2, 3)
HEADS = 8
PAD = 2
ROUNDS = 5


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))


def constants():
    bound = (2**63 - 1) // VOCABULARY // 2
    draws = np.random.default_rng(10007 * LAYER).integers(0, bound, size=max(ORDERS), dtype=np.int64)
    primes, used = [], set()
    for _ in ORDERS:
        candidate = SLOTS - 1
        for _ in range(HEADS):
            candidate += 1
            while candidate in used or not is_prime(candidate):
                candidate += 1
            used.add(candidate)
            primes.append(candidate)
    return 2 * draws + 1, primes


def tokens(length):
    """Scattered ids that any program can make again: the upper half of a multiple of 2^64 / golden ratio, scaled."""
    scattered = (np.arange(1, length + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    return ((scattered * np.uint64(VOCABULARY)) >> np.uint64(32)).astype(np.int64)


def shifted(ids, distance):
    return ids if distance == 0 else np.concatenate([np.full(distance, PAD, dtype=np.int64), ids[:-distance]])


def by_remainder(mix, prime):
    return mix % prime


def by_floor_division(mix, prime):
    return mix - mix // prime * prime


def rows(ids, multipliers, primes, modulo):
    products = [shifted(ids, i) * multipliers[i] for i in range(max(ORDERS))]
    columns = []
    mix = products[0]
    for place, order in enumerate(ORDERS):
        mix = np.bitwise_xor(mix, products[order - 1])
        for prime in primes[place * HEADS : (place + 1) * HEADS]:
            columns.append(modulo(mix, prime))
    return np.stack(columns, axis=1)


def speed(ids, multipliers, primes, modulo):
    seconds = []
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        rows(ids, multipliers, primes, modulo)
        seconds.append(time.perf_counter() - begin)
    return len(ids) / statistics.median(seconds[1:])


def checksum(table_rows):
    flat = table_rows.reshape(-1).astype(np.uint64)
    weights = 2 * np.arange(flat.size, dtype=np.uint64) + np.uint64(1)
    return int(np.sum(flat * weights, dtype=np.uint64))


def main():
    multipliers, primes = constants()
    batches = []
    for length in [int(argument) for argument in sys.argv[1:]] or [65_536, 1_000_000]:
        ids = tokens(length)
        sums = {checksum(rows(ids, multipliers, primes, modulo)) for modulo in (by_remainder, by_floor_division)}
        if len(sums) != 1:
            sys.exit("The two remainders differ.")
        batches.append({
            "tokens": length,
            "tokens_per_second": speed(ids, multipliers, primes, by_remainder),
            "tokens_per_second_floor_division": speed(ids, multipliers, primes, by_floor_division),
            "checksum": sums.pop(),
        })
    print(json.dumps({"numpy": np.__version__, "batches": batches}))


if __name__ == "__main__":
    main()
