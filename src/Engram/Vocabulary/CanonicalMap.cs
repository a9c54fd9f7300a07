using System.Buffers.Binary;
using System.Security.Cryptography;
using Engram.Tokenization;

namespace Engram.Vocabulary;

/// <summary>Tokens that share one canonical id.</summary>
/// <param name="CanonicalId">The id they share.</param>
/// <param name="TokenIds">The tokens, ascending.</param>
public sealed record CanonicalGroup(int CanonicalId, IReadOnlyList<int> TokenIds);

/// <summary>
/// The surjection from token ids to canonical ids (paper §2.2): tokens whose text differs only in case, accents, compatibility form or
/// white space are one. The number of canonical ids enters every hash multiplier, so a map is made once for a tokenizer and stored with the
/// model. Immutable, thread-safe.
/// </summary>
public sealed class CanonicalMap
{
    private readonly int[] _map;

    private CanonicalMap(int[] map, int canonicalVocabularySize)
    {
        _map = map;
        CanonicalVocabularySize = canonicalVocabularySize;
    }

    /// <summary>Canonical id of every token id.</summary>
    public ReadOnlySpan<int> Map => _map;

    /// <summary>Number of token ids, V.</summary>
    public int VocabularySize => _map.Length;

    /// <summary>Number of canonical ids, V′; they are 0 … V′ − 1 and each has at least one token.</summary>
    public int CanonicalVocabularySize { get; }

    /// <summary>SHA-256, lower-case hexadecimal, of the map as little-endian 32-bit integers.</summary>
    public string Sha256
    {
        get
        {
            var bytes = new byte[_map.Length * sizeof(int)];
            for (var id = 0; id < _map.Length; id++)
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(id * sizeof(int)), _map[id]);
            return Convert.ToHexStringLower(SHA256.HashData(bytes));
        }
    }

    /// <summary>Canonical id of one token.</summary>
    /// <param name="id">Token id, 0 … <see cref="VocabularySize"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tokenizer has no such id.</exception>
    public int this[int id]
    {
        get
        {
            if ((uint)id >= (uint)_map.Length)
                ThrowUnknownId(id);
            return _map[id];
        }
    }

    /// <summary>Computes the map of a tokenizer. Canonical ids are numbered in the order in which token ids first need them.</summary>
    /// <param name="tokenizer">The vocabulary; added tokens take part.</param>
    /// <exception cref="PlatformNotSupportedException">
    /// The process cannot normalise Unicode text (globalization-invariant mode).
    /// </exception>
    public static CanonicalMap Build(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        UnicodeData.EnsureNormalization();
        var canonicalIds = new Dictionary<string, int>(StringComparer.Ordinal);
        var map = new int[tokenizer.VocabularySize];
        for (var id = 0; id < map.Length; id++)
        {
            var key = CanonicalKey.Of(tokenizer, id);
            if (!canonicalIds.TryGetValue(key, out map[id]))
                canonicalIds.Add(key, map[id] = canonicalIds.Count);
        }
        return new CanonicalMap(map, canonicalIds.Count);
    }

    /// <summary>
    /// The string by which a token is compared with others: its text without the differences the map ignores. For inspection.
    /// </summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="id">Token id of this vocabulary.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tokenizer has no such id.</exception>
    /// <exception cref="PlatformNotSupportedException">
    /// The process cannot normalise Unicode text (globalization-invariant mode).
    /// </exception>
    public static string KeyOf(Tokenizer tokenizer, int id)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        if ((uint)id >= (uint)tokenizer.VocabularySize)
            throw new ArgumentOutOfRangeException(
                nameof(id),
                id,
                $"Token id {id} does not exist: the tokenizer defines ids 0 to {tokenizer.VocabularySize - 1}."
            );
        UnicodeData.EnsureNormalization();
        return CanonicalKey.Of(tokenizer, id);
    }

    /// <summary>The map that merges nothing, for comparison.</summary>
    /// <param name="vocabularySize">Number of token ids, at least 1.</param>
    public static CanonicalMap Identity(int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        return new CanonicalMap([.. Enumerable.Range(0, vocabularySize)], vocabularySize);
    }

    /// <summary>Takes a stored map as it is. Needs no Unicode data.</summary>
    /// <param name="map">Canonical id of every token id; copied.</param>
    /// <param name="sourceName">Where it was stored, for messages.</param>
    /// <exception cref="InvalidDataException">It is empty, or its values do not cover 0 … max without a gap.</exception>
    public static CanonicalMap FromStored(ReadOnlySpan<int> map, string sourceName)
    {
        if (map.IsEmpty)
            throw new InvalidDataException($"{sourceName}: the canonical map is empty.");
        var used = new bool[map.Length];
        var size = 0;
        for (var id = 0; id < map.Length; id++)
        {
            if ((uint)map[id] >= (uint)map.Length)
                throw new InvalidDataException(
                    $"{sourceName}: the canonical map sends token {id} to {map[id]}; {map.Length} tokens allow 0 to {map.Length - 1}."
                );
            used[map[id]] = true;
            size = Math.Max(size, map[id] + 1);
        }
        var gap = used.AsSpan(0, size).IndexOf(false);
        return gap < 0
            ? new CanonicalMap(map.ToArray(), size)
            : throw new InvalidDataException(
                $"{sourceName}: no token has canonical id {gap}, although ids up to {size - 1} are used. The map is damaged."
            );
    }

    /// <summary>The same groups of tokens under other canonical ids.</summary>
    /// <param name="newIds">The new id of every canonical id: a permutation of 0 … V′ − 1.</param>
    internal CanonicalMap Renamed(int[] newIds) => new([.. _map.Select(id => newIds[id])], CanonicalVocabularySize);

    /// <summary>The canonical ids with the most tokens, largest first, smaller canonical id first among equals.</summary>
    /// <param name="count">How many groups.</param>
    public IReadOnlyList<CanonicalGroup> LargestGroups(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return
        [
            .. _map.Index()
                .GroupBy(entry => entry.Item, entry => entry.Index)
                .OrderByDescending(group => group.Count())
                .ThenBy(group => group.Key)
                .Take(count)
                .Select(group => new CanonicalGroup(group.Key, [.. group])),
        ];
    }

    private void ThrowUnknownId(int id) =>
        throw new ArgumentOutOfRangeException(
            nameof(id),
            id,
            $"Token id {id} has no canonical id: the tokenizer defines ids 0 to {_map.Length - 1}."
        );
}
