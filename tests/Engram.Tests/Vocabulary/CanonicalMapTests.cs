using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Engram.Tests.Tokenization;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Tests.Vocabulary;

public sealed class CanonicalMapTests
{
    private static readonly Lazy<CanonicalMap> DeepSeek = new(() => CanonicalMap.Build(TestData.DeepSeekV3()));

    private static CanonicalMap DeepSeekV3()
    {
        TestData.DeepSeekV3(); // skips where the file is absent
        return DeepSeek.Value;
    }

    [Fact]
    public void DeepSeekV3_HasThePublishedSizeAndDigest()
    {
        var map = DeepSeekV3();
        Assert.Equal(128_815, map.VocabularySize);
        Assert.Equal(98_627, map.CanonicalVocabularySize);
        Assert.Equal("cd48cb62d9cca1baaf08d9e7795ad3d4c22b6c56f0f070178b9e3a52694ea930", map.Sha256);
        var wide = new byte[map.VocabularySize * sizeof(long)];
        for (var id = 0; id < map.VocabularySize; id++)
            BinaryPrimitives.WriteInt64LittleEndian(wide.AsSpan(id * sizeof(long)), map[id]);
        Assert.Equal("0e84461b633329215755b30226757dc28a1c49772f351048fe3b4c2070fb7649", Convert.ToHexStringLower(SHA256.HashData(wide)));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(35, 35)]
    [InlineData(67, 35)]
    [InlineData(200, 174)]
    [InlineData(201, 174)]
    [InlineData(202, 175)]
    [InlineData(203, 176)]
    [InlineData(219, 191)]
    [InlineData(223, 174)]
    [InlineData(262, 174)]
    [InlineData(270, 237)]
    [InlineData(271, 174)]
    [InlineData(671, 237)]
    [InlineData(1000, 604)]
    [InlineData(15251, 12266)]
    [InlineData(19129, 15241)]
    [InlineData(39922, 237)]
    [InlineData(50000, 10486)]
    [InlineData(81614, 62509)]
    [InlineData(100000, 76407)]
    [InlineData(127999, 97811)]
    [InlineData(128000, 97812)]
    [InlineData(128800, 98612)]
    [InlineData(128803, 98615)]
    [InlineData(128805, 98617)]
    [InlineData(128814, 98626)]
    public void DeepSeekV3_MapsAsPublished(int id, int canonicalId) => Assert.Equal(canonicalId, DeepSeekV3()[id]);

    [Fact]
    public void DeepSeekV3_HasThePublishedGroups()
    {
        var map = DeepSeekV3();
        var largest = map.LargestGroups(9);
        // Space, a, o, e, i (paper, Table 6), u, Bengali ya, s, Thai no nu.
        Assert.Equal([163, 54, 40, 35, 30, 30, 26, 24, 23], largest.Select(group => group.TokenIds.Count));
        Assert.Equal(
            [" ", "a", "o", "e", "i", "u", "য", "s", "น"],
            largest.Select(group => CanonicalMap.KeyOf(TestData.DeepSeekV3(), group.TokenIds[0]))
        );
        Assert.Equal((35, 67), (largest[1].TokenIds[0], largest[1].TokenIds[1]));

        var sizes = map.LargestGroups(int.MaxValue).Select(group => group.TokenIds.Count).ToArray();
        Assert.Equal((98_627, 128_815), (sizes.Length, sizes.Sum()));
        Assert.Equal(
            (83_125, 8_959, 2_637),
            (sizes.Count(size => size == 1), sizes.Count(size => size == 2), sizes.Count(size => size == 3))
        );
        Assert.Equal((15_502, 45_690), (sizes.Count(size => size > 1), sizes.Where(size => size > 1).Sum()));
        Assert.Equal(97_812, map.Map[..128_000].ToArray().Distinct().Count());
        Assert.Equal(67, Enumerable.Range(0, map.VocabularySize).First(id => map[id] != id));
    }

    [Fact]
    public void GoldenTexts_CompressToTheReferenceIds()
    {
        var map = DeepSeekV3();
        foreach (var golden in DeepSeekGoldenTests.Goldens)
            Assert.Equal(golden.CanonicalIds, golden.Ids.Select(id => map[id]));
    }

    /// <summary>The slow twin gives the same map; and with one rule broken, the count that the rule's absence is known for.</summary>
    [Theory]
    [InlineData(ReferenceKey.Fault.None, 98_627)]
    [InlineData(ReferenceKey.Fault.StripsByteOrderMark, 98_625)]
    [InlineData(ReferenceKey.Fault.SeparateDictionaries, 98_654)]
    [InlineData(ReferenceKey.Fault.NoSentinel, 98_785)]
    [InlineData(ReferenceKey.Fault.NoCompatibilityForms, 98_906)]
    [InlineData(ReferenceKey.Fault.OnlyNonspacingMarks, 99_045)]
    [InlineData(ReferenceKey.Fault.KeepsCase, 111_321)]
    public void BrokenRule_ChangesTheCountInItsOwnWay(ReferenceKey.Fault fault, int expected)
    {
        var tokenizer = TestData.DeepSeekV3();
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var map = new int[tokenizer.VocabularySize];
        for (var id = 0; id < map.Length; id++)
        {
            var key = ReferenceKey.Of(tokenizer, id, fault);
            if (!ids.TryGetValue(key, out map[id]))
                ids.Add(key, map[id] = ids.Count);
        }
        Assert.Equal(expected, ids.Count);
        Assert.Equal(fault == ReferenceKey.Fault.None, DeepSeekV3().Map.SequenceEqual(map));
    }

    [Fact]
    public void DeepSeekV3_KeysAreOfThreeKinds()
    {
        var tokenizer = TestData.DeepSeekV3();
        var texts = Enumerable.Range(0, tokenizer.VocabularySize).Select(id => Encoding.UTF8.GetString(tokenizer.TokenBytes(id))).ToArray();
        Assert.Equal(1_484, texts.Count(text => text.Contains('\uFFFD')));
        var empty = Enumerable
            .Range(0, texts.Length)
            .Where(id => !texts[id].Contains('\uFFFD') && CanonicalKey.Normalize(texts[id]).Length == 0)
            .ToArray();
        Assert.Equal(214, empty.Length);
        Assert.Equal([202, 203, 1224], empty[..3]);
        Assert.Equal(["\v", "\f", "\u09BE"], empty[..3].Select(id => CanonicalMap.KeyOf(tokenizer, id)));
    }

    [Theory]
    [InlineData("The", "the")]
    [InlineData(" THÉ", "the")]
    [InlineData("  a \t\r\n b ", "a b")]
    [InlineData(" \n\t", " ")]
    [InlineData("\u3000", " ")]
    [InlineData("\v", "")]
    [InlineData("\u0301", "")]
    [InlineData("ﬁ①Ｆ", "fi1f")]
    [InlineData("ΑΣ", "ασ")]
    [InlineData("İ", "i")]
    [InlineData("\u0903\u20DDx", "x")]
    [InlineData("\uFEFFx\u200B", "\uFEFFx\u200B")]
    [InlineData("\u0085x\u2003", "x")]
    [InlineData("𐐀", "𐐨")]
    [InlineData("a\uE000b", "a b")]
    public void Normalize_FollowsTheEightSteps(string text, string expected) => Assert.Equal(expected, CanonicalKey.Normalize(text));

    [Fact]
    public void TrainedVocabulary_KeepsItsSpecialTokensApart()
    {
        var tokenizer = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 300, SpecialTokens = ["<|endoftext|>", "<|pad|>"] }).Train([
            "The the THE the cat Cat",
        ]);
        var map = CanonicalMap.Build(tokenizer);
        Assert.Equal((0, 1), (map[0], map[1]));
        Assert.Equal(map[tokenizer.TokenToId("Ġthe")!.Value], map[tokenizer.TokenToId("the") ?? tokenizer.TokenToId("Ġthe")!.Value]);
        Assert.Equal(map[tokenizer.TokenToId("a")!.Value], map[tokenizer.TokenToId("A")!.Value]);
        Assert.Equal(map.CanonicalVocabularySize, map.Map.ToArray().Distinct().Count());
    }

    [Fact]
    public void Identity_MergesNothing()
    {
        var map = CanonicalMap.Identity(5);
        Assert.Equal([0, 1, 2, 3, 4], map.Map.ToArray());
        Assert.Equal((5, 5), (map.VocabularySize, map.CanonicalVocabularySize));
        Assert.Throws<ArgumentOutOfRangeException>(() => CanonicalMap.Identity(0));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(5)]
    [InlineData(int.MaxValue)]
    public void UnknownId_IsNamed(int id) =>
        Assert.Contains(id.ToString(), Assert.Throws<ArgumentOutOfRangeException>(() => CanonicalMap.Identity(5)[id]).Message);

    [Fact]
    public void StoredMap_IsTakenAsItIs()
    {
        int[] stored = [0, 2, 1, 1, 2]; // any numbering, not only that of first appearance
        var map = CanonicalMap.FromStored(stored, "addressing.json");
        stored[0] = 7;
        Assert.Equal([0, 2, 1, 1, 2], map.Map.ToArray());
        Assert.Equal(3, map.CanonicalVocabularySize);
        Assert.Equal([1, 2, 0], map.LargestGroups(5).Select(group => group.CanonicalId));
        Assert.Equal([2, 3], map.LargestGroups(1)[0].TokenIds);
    }

    [Theory]
    [InlineData(new int[0], "is empty")]
    [InlineData(new[] { 0, -1 }, "token 1 to -1")]
    [InlineData(new[] { 0, 2 }, "token 1 to 2")]
    [InlineData(new[] { 1, 1 }, "no token has canonical id 0")]
    [InlineData(new[] { 0, 2, 2 }, "no token has canonical id 1")]
    [InlineData(new[] { 0, int.MaxValue }, "token 1 to 2147483647")]
    public void StoredMap_ThatIsNoSurjection_IsRefused(int[] stored, string expected)
    {
        var message = Assert.Throws<InvalidDataException>(() => CanonicalMap.FromStored(stored, "addressing.json")).Message;
        Assert.StartsWith("addressing.json: ", message);
        Assert.Contains(expected, message);
    }
}
