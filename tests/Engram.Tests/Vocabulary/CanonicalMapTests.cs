using System.Buffers.Binary;
using System.Security.Cryptography;
using Engram.Tests.Tokenization;
using Engram.Vocabulary;

namespace Engram.Tests.Vocabulary;

public sealed class CanonicalMapTests
{
    private static readonly Lazy<CanonicalMap> DeepSeek = new(() => CanonicalMap.Build(TestData.DeepSeekV3()));

    private static CanonicalMap DeepSeekV3()
    {
        TestData.DeepSeekV3();   // skips where the file is absent
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
        for (var id = 0; id < map.VocabularySize; id++) BinaryPrimitives.WriteInt64LittleEndian(wide.AsSpan(id * sizeof(long)), map[id]);
        Assert.Equal("0e84461b633329215755b30226757dc28a1c49772f351048fe3b4c2070fb7649", Convert.ToHexStringLower(SHA256.HashData(wide)));
    }

    [Fact]
    public void DeepSeekV3_LargestGroupsAreThoseOfThePaper()
    {
        var groups = DeepSeekV3().LargestGroups(9);
        Assert.Equal([163, 54, 40, 35, 30, 30, 26, 24, 23], groups.Select(group => group.TokenIds.Count));
    }

    [Fact]
    public void GoldenTexts_CompressToTheReferenceIds()
    {
        var map = DeepSeekV3();
        foreach (var golden in DeepSeekGoldenTests.Goldens) Assert.Equal(golden.CanonicalIds, golden.Ids.Select(id => map[id]));
    }
}
