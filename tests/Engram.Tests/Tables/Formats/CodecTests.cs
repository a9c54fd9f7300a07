using System.Runtime.Intrinsics.X86;
using CsCheck;
using Engram.Tables.Formats;

namespace Engram.Tests.Tables.Formats;

/// <summary>
/// Every codec against a decoder written from the definitions in double precision, against its own twin without vectors, and its rounding
/// against the definition of nearest. <see cref="VectorWidthTests"/> runs this class in every tier of vectors.
/// </summary>
public sealed unsafe class CodecTests
{
    private static readonly int[] Widths =
    [
        1,
        2,
        3,
        7,
        8,
        15,
        16,
        17,
        31,
        32,
        33,
        40,
        48,
        63,
        64,
        65,
        80,
        96,
        127,
        128,
        160,
        250,
        256,
        264,
    ];
    private static readonly int[] GroupSizes = [1, 2, 3, 7, 8, 16, 31, 32, 33, 48, 64, 100, 256, 1000, int.MaxValue];

    internal static string Tier =>
        Avx512Vbmi.IsSupported ? "512"
        : Avx2.IsSupported ? "256"
        : "none";

    public static TheoryData<RowEncoding> Encodings =>
        [RowEncoding.Float32, RowEncoding.BFloat16, RowEncoding.Float8, RowEncoding.Int8, RowEncoding.Int4];

    public static TheoryData<RowEncoding> Scaled => [RowEncoding.Float8, RowEncoding.Int8, RowEncoding.Int4];

    private delegate void Decoder(byte* values, byte* scales, int width, int groupSize, float* destination);

    private delegate void Encoder(float* source, int width, int groupSize, byte* values, byte* scales);

    [Fact]
    public void The_tier_is_the_one_asked_for()
    {
        if (Environment.GetEnvironmentVariable(VectorWidthTests.ExpectedTier) is { } tier)
            Assert.Equal(tier, Tier);
        else
            Assert.Contains(Tier, new[] { "512", "256", "none" });
    }

    /// <summary>All bytes, so also no-numbers, infinities and negative scales.</summary>
    [Theory]
    [MemberData(nameof(Encodings))]
    public void Vectors_and_scalars_give_the_same_bits_and_write_nothing_else(RowEncoding encoding)
    {
        var random = new Random(1);
        foreach (var (width, format) in Shapes(encoding))
            for (var repeat = 0; repeat < 4; repeat++)
            {
                var (values, scales) = (new byte[format.ValueBytes(width)], new byte[format.ScaleBytes(width)]);
                random.NextBytes(values);
                random.NextBytes(scales);
                var (fast, slow) = (
                    Decode(Codec(encoding).Decode, values, scales, width, format),
                    Decode(Codec(encoding).Scalar, values, scales, width, format)
                );
                for (var i = 0; i < width; i++)
                    // Which no-number comes out depends on the order of factors.
                    Assert.True(Same(fast[i], slow[i]), $"{format}, width {width}, value {i}: {fast[i]:R} and {slow[i]:R}");
            }
    }

    /// <summary>All 65,536 pairs of a value and a scale byte, in every place of a vector.</summary>
    [Theory]
    [InlineData(64)]
    [InlineData(32)]
    [InlineData(16)]
    [InlineData(8)]
    [InlineData(7)]
    public void Float8_is_what_an_independent_decoder_makes_of_it(int width)
    {
        var format = RowFormat.Float8();
        var values = new byte[width];
        for (var scale = 0; scale < 256; scale++)
        for (var first = 0; first < 256; first++)
        {
            for (var i = 0; i < width; i++)
                values[i] = (byte)(first + 37 * i);
            var decoded = Decode(
                Codec(RowEncoding.Float8).Decode,
                values,
                [.. Enumerable.Repeat((byte)scale, format.Groups(width))],
                width,
                format
            );
            for (var i = 0; i < width; i++)
                Assert.True(Same((float)(E4M3(values[i]) * E8M0(scale)), decoded[i]), $"value {values[i]}, scale {scale}: {decoded[i]:R}");
        }
    }

    [Theory]
    [InlineData(RowEncoding.BFloat16)]
    [InlineData(RowEncoding.Int8)]
    [InlineData(RowEncoding.Int4)]
    public void Other_encodings_are_what_an_independent_decoder_makes_of_them(RowEncoding encoding)
    {
        var random = new Random(2);
        foreach (var (width, format) in Shapes(encoding))
        {
            var (values, scales) = (new byte[format.ValueBytes(width)], new byte[format.ScaleBytes(width)]);
            random.NextBytes(values);
            for (var group = 0; group < scales.Length / 2; group++)
                BitConverter.TryWriteBytes(scales.AsSpan(2 * group), (ushort)random.Next(0x3000, 0x4800));
            var decoded = Decode(Codec(encoding).Decode, values, scales, width, format);
            for (var i = 0; i < width; i++)
            {
                var scale =
                    scales.Length == 0
                        ? 1
                        : BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(scales, 2 * (int)(i / (long)format.GroupSize)) << 16);
                var expected = encoding switch
                {
                    RowEncoding.BFloat16 => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(values, 2 * i) << 16),
                    RowEncoding.Int8 => (double)(sbyte)values[i] * scale,
                    _ => ((i % 2 == 0 ? values[i / 2] & 15 : values[i / 2] >> 4) - 8d) * scale,
                };
                Assert.True(Same((float)expected, decoded[i]), $"{format}, width {width}, value {i}");
            }
        }
    }

    /// <summary>
    /// Each decoded value is the nearest of those that the stored scale offers; of two equally near, the one with the even code.
    /// </summary>
    [Theory]
    [MemberData(nameof(Scaled))]
    [InlineData(RowEncoding.BFloat16)]
    public void Encoding_rounds_to_nearest_even(RowEncoding encoding) =>
        Rows(encoding)
            .Sample(
                (shape, source) =>
                {
                    var (width, format) = shape;
                    var (values, scales) = Encode(Codec(encoding).Encode, source, width, format);
                    var decoded = Decode(Codec(encoding).Decode, values, scales, width, format);
                    for (var i = 0; i < width; i++)
                    {
                        var choices = Choices(
                            encoding,
                            format.HasScales ? ScaleOf(encoding, scales, (int)(i / (long)format.GroupSize)) : 1
                        );
                        var distance = Math.Abs(source[i] - (double)decoded[i]);
                        var best = choices.Min(choice => Math.Abs(source[i] - choice.Value));
                        Assert.True(
                            distance == best,
                            $"{format}, width {width}: {source[i]:R} became {decoded[i]:R}, off by {distance:R}; {best:R} can be had"
                        );
                        var nearest = choices
                            .Where(choice => Math.Abs(source[i] - choice.Value) == best)
                            .DistinctBy(choice => choice.Value)
                            .ToArray();
                        if (nearest.Length > 1)
                            Assert.True(
                                nearest.Single(choice => choice.Value == decoded[i]).Code % 2 == 0,
                                $"{format}: tie of {source[i]:R} became {decoded[i]:R}"
                            );
                    }
                },
                iter: encoding == RowEncoding.BFloat16 ? 20 : 600
            );

    /// <summary>What was decoded is encoded as what it was decoded from.</summary>
    [Theory]
    [MemberData(nameof(Encodings))]
    public void Encoding_again_changes_nothing(RowEncoding encoding) =>
        Rows(encoding)
            .Sample(
                (shape, source) =>
                {
                    var (width, format) = shape;
                    var first = Encode(Codec(encoding).Encode, source, width, format);
                    var once = Decode(Codec(encoding).Decode, first.Values, first.Scales, width, format);
                    var second = Encode(Codec(encoding).Encode, once, width, format);
                    Assert.Equal(
                        once.Select(BitConverter.SingleToUInt32Bits),
                        Decode(Codec(encoding).Decode, second.Values, second.Scales, width, format).Select(BitConverter.SingleToUInt32Bits)
                    );
                    // A group of fp8 whose largest value is rounded down to 448·2^(x − 1) receives the next smaller scale.
                    if (encoding != RowEncoding.Float8)
                        Assert.Equal(
                            (first.Values, first.Scales),
                            (second.Values, second.Scales),
                            (a, b) => a.Values.SequenceEqual(b.Values) && a.Scales.SequenceEqual(b.Scales)
                        );
                },
                iter: 2000
            );

    [Fact]
    public void Float8_scales_are_the_least_that_hold_the_group()
    {
        foreach (
            var (largest, expected) in new (float, byte)[]
            {
                (448, 127),
                (MathF.BitIncrement(448), 128),
                (1, 119),
                (1.75f, 119),
                (MathF.BitIncrement(1.75f), 120),
                (0, 127),
                (float.Epsilon, 0),
                (float.MaxValue, 247),
                (1e-38f, 0),
            }
        )
        {
            var (values, scales) = Encode(Float8Codec.Encode, [0, -largest, 0], 3, RowFormat.Float8());
            Assert.Equal(expected, scales[0]);
            Assert.Equal(0, values[0]);
        }
    }

    [Theory]
    [InlineData(RowEncoding.Int8, 127)]
    [InlineData(RowEncoding.Int4, 7)]
    public void The_largest_value_of_a_group_has_the_largest_code_and_is_not_clipped(RowEncoding encoding, int largestCode) =>
        Gen.Select(Gen.Float[1, 2], Gen.Int[-100, 120])
            .Sample(
                (mantissa, exponent) =>
                {
                    var largest = MathF.ScaleB(mantissa, exponent);
                    var format = encoding == RowEncoding.Int8 ? RowFormat.Int8() : RowFormat.Int4();
                    var (values, scales) = Encode(Codec(encoding).Encode, [largest, -largest], 2, format);
                    Assert.Equal(encoding == RowEncoding.Int8 ? [(byte)largestCode, unchecked((byte)-largestCode)] : [0x1F], values);
                    var scale = ScaleOf(encoding, scales, 0);
                    Assert.InRange(largest, (largestCode - 0.5) * scale, (largestCode + 0.5) * scale);
                }
            );

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Extreme_values_stay_finite_and_zeros_are_zero(RowEncoding encoding)
    {
        foreach (var (width, format) in Shapes(encoding))
        {
            float[] extremes = [float.MaxValue, -float.MaxValue, float.Epsilon, -0f, 1e-45f, 1e-38f, 3.3e38f, 1];
            var source = Enumerable.Range(0, width).Select(i => extremes[i % extremes.Length]).ToArray();
            var (values, scales) = Encode(Codec(encoding).Encode, source, width, format);
            Assert.All(Decode(Codec(encoding).Decode, values, scales, width, format), value => Assert.True(float.IsFinite(value)));

            (values, scales) = Encode(Codec(encoding).Encode, new float[width], width, format);
            Assert.All(Decode(Codec(encoding).Decode, values, scales, width, format), value => Assert.Equal(0, value));
            Assert.All(values, value => Assert.Equal(encoding == RowEncoding.Int4 ? 0x88 : 0, value));
            Assert.All(scales, scale => Assert.Equal(encoding == RowEncoding.Float8 ? 127 : 0, scale));
        }
    }

    /// <summary>Each pattern of a bfloat16 stays what it is; what lies between two goes to the nearer.</summary>
    [Fact]
    public void BFloat16_rounds_as_the_definition_says()
    {
        for (var bits = 0; bits < 0x7F80; bits++)
        {
            Assert.Equal(bits, BFloat16Codec.FromSingle(BitConverter.Int32BitsToSingle(bits << 16)));
            Assert.Equal(
                Math.Min(bits + bits % 2, 0x7F7F) | 0x8000,
                BFloat16Codec.FromSingle(-BitConverter.Int32BitsToSingle(bits << 16 | 0x8000))
            );
            Assert.Equal(bits, BFloat16Codec.FromSingle(BitConverter.Int32BitsToSingle(bits << 16 | 0x7FFF)));
            Assert.Equal(Math.Min(bits + 1, 0x7F7F), BFloat16Codec.FromSingle(BitConverter.Int32BitsToSingle(bits << 16 | 0x8001)));
        }
    }

    private static (Decoder Decode, Decoder Scalar, Encoder Encode) Codec(RowEncoding encoding) =>
        encoding switch
        {
            RowEncoding.Float32 => (Float32Codec.Decode, Float32Codec.DecodeScalar, Float32Codec.Encode),
            RowEncoding.BFloat16 => (BFloat16Codec.Decode, BFloat16Codec.DecodeScalar, BFloat16Codec.Encode),
            RowEncoding.Float8 => (Float8Codec.Decode, Float8Codec.DecodeScalar, Float8Codec.Encode),
            RowEncoding.Int8 => (Int8Codec.Decode, Int8Codec.DecodeScalar, Int8Codec.Encode),
            _ => (Int4Codec.Decode, Int4Codec.DecodeScalar, Int4Codec.Encode),
        };

    private static IEnumerable<(int Width, RowFormat Format)> Shapes(RowEncoding encoding)
    {
        foreach (var width in Widths.Where(width => encoding != RowEncoding.Int4 || width % 2 == 0))
            if (encoding is RowEncoding.Float32 or RowEncoding.BFloat16)
                yield return (width, encoding == RowEncoding.Float32 ? RowFormat.Float32 : RowFormat.BFloat16);
            else
                foreach (var size in GroupSizes)
                    yield return (
                        width,
                        encoding switch
                        {
                            RowEncoding.Float8 => RowFormat.Float8(size),
                            RowEncoding.Int8 => RowFormat.Int8(size),
                            _ => RowFormat.Int4(size),
                        }
                    );
    }

    private static Gen<((int Width, RowFormat Format) Shape, float[] Source)> Rows(RowEncoding encoding)
    {
        var value = Gen.OneOf(
            Gen.Float[-1, 1],
            Gen.Float[-500, 500],
            Gen.Float[-1e-3f, 1e-3f],
            Gen.Int[-20, 20].Select(x => x / 2f),
            Gen.Const(0f),
            Gen.Const(-0f)
        );
        var shapes = Shapes(encoding).ToArray();
        return Gen.Int[0, shapes.Length - 1].SelectMany(i => Gen.Select(Gen.Const(shapes[i]), value.Array[shapes[i].Width]));
    }

    private static float[] Decode(Decoder decode, byte[] values, byte[] scales, int width, RowFormat format)
    {
        const int margin = 16;
        var target = new float[width + margin];
        target.AsSpan(width).Fill(12345);
        // Copies of exactly the row's bytes, in memory that ends with them as far as the runtime lets us see.
        fixed (byte* v = values)
        fixed (byte* s = scales)
        fixed (float* t = target)
            decode(v, s, width, format.GroupSize, t);
        Assert.All(target[width..], value => Assert.Equal(12345, value));
        return target[..width];
    }

    private static (byte[] Values, byte[] Scales) Encode(Encoder encode, float[] source, int width, RowFormat format)
    {
        const int margin = 8;
        var (values, scales) = (new byte[format.ValueBytes(width) + margin], new byte[format.ScaleBytes(width) + margin]);
        Array.Fill(values, (byte)0xA5);
        Array.Fill(scales, (byte)0xA5);
        fixed (byte* v = values)
        fixed (byte* s = scales)
        fixed (float* f = source)
            encode(f, width, format.GroupSize, v, s);
        Assert.All(values[^margin..], value => Assert.Equal(0xA5, value));
        Assert.All(scales[^margin..], value => Assert.Equal(0xA5, value));
        return (values[..^margin], scales[..^margin]);
    }

    private static (int Code, double Value)[] Choices(RowEncoding encoding, double scale) =>
        encoding switch
        {
            RowEncoding.BFloat16 => BFloat16s,
            RowEncoding.Float8 =>
            [
                .. Enumerable.Range(0, 256).Where(code => (code & 0x7F) != 0x7F).Select(code => (code, E4M3(code) * scale)),
            ],
            RowEncoding.Int8 => [.. Enumerable.Range(-127, 255).Select(code => (code, code * scale))],
            _ => [.. Enumerable.Range(-7, 15).Select(code => (code, code * scale))],
        };

    private static readonly (int, double)[] BFloat16s =
    [
        .. Enumerable
            .Range(0, 1 << 16)
            .Where(bits => (bits & 0x7F80) != 0x7F80)
            .Select(bits => (bits, (double)BitConverter.Int32BitsToSingle(bits << 16))),
    ];

    private static double ScaleOf(RowEncoding encoding, byte[] scales, int group) =>
        encoding == RowEncoding.Float8
            ? E8M0(scales[group])
            : BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(scales, 2 * group) << 16);

    private static double E4M3(int code)
    {
        var (sign, exponent, mantissa) = (code >> 7, code >> 3 & 15, code & 7);
        if (exponent == 15 && mantissa == 7)
            return double.NaN;
        var magnitude = exponent == 0 ? mantissa / 8d * Math.Pow(2, -6) : (1 + mantissa / 8d) * Math.Pow(2, exponent - 7);
        return sign == 1 ? -magnitude : magnitude;
    }

    private static double E8M0(int code) => code == 255 ? double.NaN : Math.Pow(2, code - 127);

    private static bool Same(float a, float b) =>
        float.IsNaN(a) ? float.IsNaN(b) : BitConverter.SingleToUInt32Bits(a) == BitConverter.SingleToUInt32Bits(b);
}
