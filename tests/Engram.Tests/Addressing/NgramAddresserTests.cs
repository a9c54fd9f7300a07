using CsCheck;
using Engram.Addressing;

namespace Engram.Tests.Addressing;

public class NgramAddresserTests
{
    private static readonly AddressingSpec Small = new()
    {
        CompressedVocabularySize = 311,
        Layers = [0, 1, 5],
        SlotsPerOrder = [13, 17, 29],
        HeadsPerOrder = 3,
        Seed = 42,
        PadId = 7,
    };

    private static readonly NgramAddresser SmallAddresser = new(AddressingConstants.Derive(Small));

    /// <summary>The definition, word by word: a walk back for every slot of every window, the remainder by division.</summary>
    private static long[] Reference(NgramAddresser addresser, ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, int layerPosition)
    {
        var spec = addresser.Constants.Spec;
        var layer = addresser.Constants.Layers[layerPosition];
        var rows = new List<long>();
        for (var t = 0; t < ids.Length; t++)
        {
            var document = t;
            while (document > 0 && (starts.IsEmpty || !starts[document]))
                document--;
            for (var order = spec.MinOrder; order <= spec.MaxOrder; order++)
            {
                var mix = 0L;
                var blocked = false;
                for (var i = 0; i < order; i++)
                {
                    blocked = blocked || t - i < document || ids[t - i] < 0;
                    mix ^= checked((blocked ? spec.PadId : ids[t - i]) * layer.Multipliers[i]);
                }
                for (var head = 0; head < spec.HeadsPerOrder; head++)
                    rows.Add(
                        ids[t] < 0
                            ? -1
                            : mix % layer.Primes[order - spec.MinOrder][head]
                                + layer.Offsets[(order - spec.MinOrder) * spec.HeadsPerOrder + head]
                    );
            }
        }
        return [.. rows];
    }

    private static readonly Gen<(int[] Ids, bool[] Starts)> Documents = Gen.Int[0, 40]
        .SelectMany(length =>
            Gen.Select(
                Gen.Frequency((9, Gen.Int[0, 310]), (1, Gen.Const(-1))).Array[length],
                Gen.Frequency((5, Gen.Const(false)), (1, Gen.Const(true))).Array[length]
            )
        );

    [Theory, InlineData(1, 1), InlineData(1, 3), InlineData(3, 2)]
    public void Orders_may_begin_elsewhere_than_at_two(int smallest, int orders)
    {
        var spec = Small with { MinOrder = smallest, SlotsPerOrder = [.. Enumerable.Repeat(331L, orders)] };
        var addresser = new NgramAddresser(AddressingConstants.Derive(spec));
        Assert.Equal(smallest + orders - 1, spec.MaxOrder);
        Documents.Sample(
            document =>
            {
                var rows = new long[document.Ids.Length * addresser.Columns];
                addresser.Address(document.Ids, document.Starts, 1, rows);
                return rows.SequenceEqual(Reference(addresser, document.Ids, document.Starts, 1));
            },
            iter: 200
        );
    }

    [Fact]
    public void Single_tokens_have_rows_of_their_own()
    {
        // 311 ids, a prime above: multiplication by an odd number that the prime does not divide exchanges the remainders.
        var addresser = new NgramAddresser(
            AddressingConstants.Derive(Small with { MinOrder = 1, SlotsPerOrder = [312], HeadsPerOrder = 1 })
        );
        var rows = new long[311];
        addresser.Address([.. Enumerable.Range(0, 311)], [], 0, rows);
        Assert.Equal(311, rows.Distinct().Count());
    }

    /// <summary>
    /// Layer 5 of the small case: multipliers 3606460854399737, 7317337087972265, 6061918124019671, …; primes of order 2: 89, 97, 101; of
    /// order 3: 103, 107, 109. Pad is 7.
    /// </summary>
    [Fact]
    public void A_window_computed_by_hand()
    {
        var z = new long[2 * 9];
        SmallAddresser.Residues([1, 2], [], 2, z);

        // Position 0: 1·3606460854399737 XOR 7·7317337087972265 = 52118503558183782.
        Assert.Equal([60, 23, 93], z[..3]);
        // Position 1, order 2: 2·3606460854399737 XOR 1·7317337087972265 = 7212921708799474 XOR 7317337087972265 = 104494304753243.
        Assert.Equal([17, 75, 79], z[9..12]);
        // Order 3 goes on from there: XOR 7·6061918124019671 = 42397114394319034.
        Assert.Equal([63, 48, 3], z[12..15]);
    }

    /// <summary>
    /// The sentence "Only Alexander the Great could tame the horse Bucephalus." after compression of DeepSeek-V3's vocabulary.
    /// </summary>
    [Fact]
    public void A_whole_sentence_with_published_rows()
    {
        var addresser = new NgramAddresser(
            AddressingConstants.Derive(
                new AddressingSpec
                {
                    CompressedVocabularySize = 98_627,
                    Layers = [1, 15],
                    SlotsPerOrder = [646_400, 646_400],
                    HeadsPerOrder = 8,
                    PadId = 2,
                }
            )
        );
        int[] ids = [0, 1134, 15695, 237, 2049, 1260, 85761, 237, 12071, 36, 9745, 20232, 290, 16];
        var z = new long[ids.Length * 16];

        addresser.Residues(ids, [], 0, z);
        Assert.Equal(
            [525894, 395172, 559165, 204669, 374248, 80933, 214739, 170590, 167317, 190172, 226935, 49676, 513067, 151339, 66287, 605785],
            At(0)
        );
        Assert.Equal(
            [124270, 268848, 39709, 585372, 451792, 85123, 380281, 618902, 162828, 624865, 180835, 394090, 294386, 4980, 413215, 567069],
            At(4)
        );
        Assert.Equal(
            [574320, 236485, 143894, 277074, 408621, 585602, 586849, 299799, 119978, 167080, 71487, 383134, 131684, 221816, 194267, 163557],
            At(13)
        );
        addresser.Residues(ids, [], 1, z);
        Assert.Equal(
            [316201, 122874, 595570, 496885, 343294, 97917, 326134, 639214, 4639, 389252, 590908, 96405, 249669, 16090, 383156, 542030],
            At(0)
        );
        Assert.Equal(
            [149934, 204005, 403124, 497355, 612033, 636975, 605409, 193125, 526632, 370177, 555343, 228907, 329503, 58611, 587793, 554141],
            At(13)
        );

        long[] At(int position) => z[(position * 16)..(position * 16 + 16)];
    }

    [Fact]
    public void Rows_are_those_of_the_definition() =>
        Documents.Sample(
            (ids, starts) =>
            {
                var all = new long[3 * ids.Length * 9];
                SmallAddresser.AddressAllLayers(ids, starts, all);
                for (var layer = 0; layer < 3; layer++)
                {
                    var expected = Reference(SmallAddresser, ids, starts, layer);
                    var rows = new long[ids.Length * 9];
                    SmallAddresser.Address(ids, starts, layer, rows);
                    Assert.Equal(expected, rows);
                    Assert.Equal(expected, all.AsSpan(layer * rows.Length, rows.Length).ToArray());
                    SmallAddresser.Residues(ids, starts, layer, rows);
                    Assert.Equal(
                        expected.Select((row, i) => row < 0 ? -1 : row - SmallAddresser.Constants.Layers[layer].Offsets[i % 9]),
                        rows
                    );
                }
            }
        );

    [Fact]
    public void However_a_sequence_is_cut_the_rows_are_those_of_the_whole() =>
        Gen.Select(Documents, Gen.Int[0, 7].Array[60])
            .Sample(
                (documents, cuts) =>
                {
                    var (ids, starts) = documents;
                    var whole = new long[3 * ids.Length * 9];
                    SmallAddresser.AddressAllLayers(ids, starts, whole);

                    var window = SmallAddresser.NewWindow();
                    var at = 0;
                    foreach (var cut in cuts.Append(ids.Length))
                    {
                        var length = Math.Min(cut, ids.Length - at);
                        var chunk = new long[3 * length * 9];
                        // A copy goes its own way and leaves no trace in the original: rejected drafts.
                        var draft = window.Clone();
                        SmallAddresser.Append(draft, [1, 2, 3], [], new long[3 * 3 * 9]);
                        SmallAddresser.Append(window, ids.AsSpan(at, length), starts.AsSpan(at, length), chunk);
                        for (var layer = 0; layer < 3; layer++)
                            Assert.Equal(
                                whole.AsSpan((layer * ids.Length + at) * 9, length * 9).ToArray(),
                                chunk.AsSpan(layer * length * 9, length * 9).ToArray()
                            );
                        at += length;
                    }
                    Assert.Equal(ids.Length, at);
                }
            );

    [Fact]
    public void A_window_moved_past_a_prefix_continues_as_if_it_had_been_addressed() =>
        Documents.Sample(
            (ids, starts) =>
            {
                var (addressed, moved, copied) = (SmallAddresser.NewWindow(), SmallAddresser.NewWindow(), SmallAddresser.NewWindow());
                SmallAddresser.Append(addressed, ids, starts, new long[3 * ids.Length * 9]);
                moved.Advance(ids, starts);
                copied.CopyFrom(moved);
                var (a, b, c) = (new long[3 * 9], new long[3 * 9], new long[3 * 9]);
                SmallAddresser.Append(addressed, [5], [], a);
                SmallAddresser.Append(moved, [5], [], b);
                SmallAddresser.Append(copied, [5], [], c);
                Assert.Equal(a, b);
                Assert.Equal(a, c);

                copied.Reset();
                SmallAddresser.Append(copied, [5], [], c);
                SmallAddresser.Append(SmallAddresser.NewWindow(), [5], [], a);
                Assert.Equal(a, c);
            }
        );

    [Fact]
    public void Packed_documents_read_the_rows_each_reads_alone() =>
        Documents.Sample(
            (ids, starts) =>
            {
                var packed = new long[3 * ids.Length * 9];
                SmallAddresser.AddressAllLayers(ids, starts, packed);
                for (int from = 0, to; from < ids.Length; from = to)
                {
                    for (to = from + 1; to < ids.Length && !starts[to]; )
                        to++;
                    var alone = new long[3 * (to - from) * 9];
                    SmallAddresser.AddressAllLayers(ids.AsSpan(from, to - from), [], alone);
                    for (var layer = 0; layer < 3; layer++)
                        Assert.Equal(
                            alone.AsSpan(layer * (to - from) * 9, (to - from) * 9).ToArray(),
                            packed.AsSpan((layer * ids.Length + from) * 9, (to - from) * 9).ToArray()
                        );
                }
            }
        );

    [Fact]
    public void What_precedes_the_first_token_counts_as_pad()
    {
        var (padded, plain) = (new long[6 * 9], new long[3 * 9]);
        SmallAddresser.Address([7, 7, 7, 100, 200, 300], [], 1, padded);
        SmallAddresser.Address([100, 200, 300], [], 1, plain);
        Assert.Equal(plain, padded[27..]);
    }

    [Fact]
    public void A_dead_position_reads_nothing_and_ends_every_window_over_it()
    {
        var (mixed, plain) = (new long[5 * 9], new long[2 * 9]);
        SmallAddresser.Address([100, 101, -1, 102, 103], [], 0, mixed);
        SmallAddresser.Address([102, 103], [], 0, plain);
        Assert.All(mixed[18..27], row => Assert.Equal(NgramAddresser.NoRow, row));
        Assert.Equal(plain, mixed[27..]);
        var leftPadded = new long[4 * 9];
        SmallAddresser.Address([-1, -1, 102, 103], [], 0, leftPadded);
        Assert.Equal(plain, leftPadded[18..]);
    }

    [Fact]
    public void A_token_leaves_all_earlier_rows_as_they_were() =>
        Gen.Select(Documents, Gen.Int[0, 310], Gen.Int[0, 1000])
            .Sample(
                (documents, id, at) =>
                {
                    var (ids, starts) = documents;
                    if (ids.Length == 0)
                        return;
                    at %= ids.Length;
                    var (before, after) = (new long[ids.Length * 9], new long[ids.Length * 9]);
                    SmallAddresser.Address(ids, starts, 2, before);
                    ids[at] = id;
                    SmallAddresser.Address(ids, starts, 2, after);
                    Assert.Equal(before[..(at * 9)], after[..(at * 9)]);
                    // And reaches N tokens at most.
                    if (at + 4 < ids.Length)
                        Assert.Equal(before[((at + 4) * 9)..], after[((at + 4) * 9)..]);
                }
            );

    [Fact]
    public void Rows_stay_inside_their_segment_and_different_mixes_agree_in_few_heads()
    {
        // Three primes of about 646 thousand multiply to less than 2^63 and four do not, so two different mixes agree in at most three
        // heads.
        var addresser = new NgramAddresser(
            AddressingConstants.Derive(
                new AddressingSpec
                {
                    CompressedVocabularySize = 98_627,
                    Layers = [1],
                    SlotsPerOrder = [646_400],
                    HeadsPerOrder = 8,
                    PadId = 2,
                }
            )
        );
        var random = new Random(3);
        var ids = Enumerable.Range(0, 3000).Select(_ => random.Next(98_627)).ToArray();
        var z = new long[ids.Length * 8];
        addresser.Residues(ids, [], 0, z);
        var primes = addresser.Constants.Layers[0].Primes[0];
        for (var i = 0; i < z.Length; i++)
            Assert.InRange(z[i], 0, primes[i % 8] - 1);
        var byHead = Enumerable.Range(0, 8).Select(head => Enumerable.Range(0, ids.Length).ToLookup(t => z[t * 8 + head])).ToArray();
        foreach (var pair in byHead.SelectMany(head => head.Where(group => group.Count() > 1)).Select(group => group.Take(2).ToArray()))
            Assert.InRange(Enumerable.Range(0, 8).Count(head => z[pair[0] * 8 + head] == z[pair[1] * 8 + head]), 1, 3);
    }

    [Fact]
    public void The_one_row_control_reads_one_row_per_head()
    {
        var addresser = new NgramAddresser(SmallAddresser.Constants, oneRow: true);
        var rows = new long[3 * 9];
        addresser.Address([100, -1, 200], [], 1, rows);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8], rows[..9]);
        Assert.All(rows[9..18], row => Assert.Equal(-1, row));
        Assert.Equal(rows[..9], rows[18..]);
        addresser.Residues([100, -1, 200], [], 1, rows);
        Assert.Equal(new long[9], rows[..9]);
    }

    /// <summary>
    /// Numbers of heads and tokens around the lengths of vectors and tiles, with moduli that vectors take: every layer alone, all at once,
    /// and from several threads.
    /// </summary>
    [Fact]
    public void Rows_are_those_of_the_definition_at_the_boundaries_of_vectors_and_tiles()
    {
        var random = new Random(5);
        foreach (var heads in new[] { 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17 })
        {
            var addresser = new NgramAddresser(
                AddressingConstants.Derive(Small with { SlotsPerOrder = [9_000, 100, 2_000_000], HeadsPerOrder = heads })
            );
            foreach (var length in new[] { 1, 7, 8, 9, 15, 16, 17, 127, 128, 129, 255, 256, 257 })
            {
                var (ids, starts) = Text(random, length);
                var perLayer = length * addresser.Columns;
                var all = new long[3 * perLayer];
                addresser.AddressAllLayers(ids, starts, all);
                for (var layer = 0; layer < 3; layer++)
                {
                    var expected = Reference(addresser, ids, starts, layer);
                    Assert.Equal(expected, all.AsSpan(layer * perLayer, perLayer).ToArray());
                    var rows = new long[perLayer];
                    addresser.Address(ids, starts, layer, rows, threads: 2);
                    Assert.Equal(expected, rows);
                }
            }
        }
    }

    /// <summary>Enough rows that every thread has a share, cut anywhere among documents and dead positions.</summary>
    [Fact]
    public void Rows_do_not_depend_on_the_number_of_threads()
    {
        var (ids, starts) = Text(new Random(6), 20_000);
        var expected = new long[3 * 9 * ids.Length];
        SmallAddresser.AddressAllLayers(ids, starts, expected);
        Assert.Equal(Reference(SmallAddresser, ids, starts, 2), expected[^(9 * ids.Length)..]);
        foreach (var threads in new[] { 2, 3, 5, 8, 100 })
        {
            var rows = new long[expected.Length];
            SmallAddresser.AddressAllLayers(ids, starts, rows, threads);
            Assert.Equal(expected, rows);
            var (window, other) = (SmallAddresser.NewWindow(), SmallAddresser.NewWindow());
            window.Advance([9, 8, 7]);
            other.CopyFrom(window);
            var alone = new long[expected.Length];
            SmallAddresser.Append(window, ids, starts, rows, threads);
            SmallAddresser.Append(other, ids, starts, alone);
            Assert.Equal(alone, rows);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => SmallAddresser.AddressAllLayers(ids, starts, expected, threads: 0));
    }

    /// <summary>
    /// A result larger than the caches is written past them, also where it begins amid a cache line: the same rows as in pieces.
    /// </summary>
    [Theory]
    [InlineData(8, 1)]
    [InlineData(7, 3)]
    public void A_result_larger_than_the_caches_has_the_same_rows(int heads, int threads)
    {
        var addresser = new NgramAddresser(
            AddressingConstants.Derive(Small with { Layers = [0, 1], SlotsPerOrder = [9_000, 2_000_000], HeadsPerOrder = heads })
        );
        var (columns, layers) = (addresser.Columns, addresser.LayerCount);
        var (ids, starts) = Text(new Random(7), (int)(RowStream.LeastRows / columns / layers) + 1001);
        foreach (var displacement in new[] { 0, 1, 5 })
        {
            var memory = new long[layers * ids.Length * columns + displacement + 1];
            var whole = memory.AsSpan(displacement, memory.Length - displacement - 1);
            addresser.AddressAllLayers(ids, starts, whole, threads);
            Assert.Equal(0, memory[^1]);
            var window = addresser.NewWindow();
            const int Piece = 50_000;
            var piece = new long[layers * Piece * columns];
            for (var at = 0; at < ids.Length; at += Piece)
            {
                var length = Math.Min(Piece, ids.Length - at);
                addresser.Append(window, ids.AsSpan(at, length), starts.AsSpan(at, length), piece.AsSpan(0, layers * length * columns));
                for (var layer = 0; layer < layers; layer++)
                    Assert.True(
                        piece
                            .AsSpan(layer * length * columns, length * columns)
                            .SequenceEqual(whole.Slice((layer * ids.Length + at) * columns, length * columns))
                    );
            }
        }
    }

    private static (int[] Ids, bool[] Starts) Text(Random random, int length) =>
        (
            [.. Enumerable.Range(0, length).Select(_ => random.Next(12) == 0 ? -1 : random.Next(311))],
            [.. Enumerable.Range(0, length).Select(_ => random.Next(9) == 0)]
        );

    [Fact]
    public void Nothing_is_allocated()
    {
        var window = SmallAddresser.NewWindow();
        var (one, many, ids) = (new long[3 * 9], new long[3 * 100 * 9], new int[100]);
        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            for (var i = 0; i < 100; i++)
                SmallAddresser.Append(window, [i], [], one);
            SmallAddresser.AddressAllLayers(ids, [], many);
            SmallAddresser.Address(ids, [], 2, many.AsSpan(0, 900));
        }
    }

    [Fact]
    public void Ids_and_lengths_that_cannot_be_are_refused_and_leave_the_window()
    {
        var window = SmallAddresser.NewWindow();
        var rows = new long[2 * 9];
        Assert.Contains(
            "311 at position 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => SmallAddresser.Address([0, 311], [], 0, rows)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => SmallAddresser.Address([0, -2], [], 0, rows));
        Assert.Throws<ArgumentOutOfRangeException>(() => SmallAddresser.Append(window, [0, 311], [], new long[54]));
        Assert.Equal(0, window.Reach);
        Assert.Throws<ArgumentException>(() => SmallAddresser.Address([0], [], 0, rows));
        Assert.Throws<ArgumentException>(() => SmallAddresser.Address([0, 1], [true], 0, rows));
        Assert.Throws<ArgumentOutOfRangeException>(() => SmallAddresser.Address([0, 1], [], 3, rows));
        Assert.Throws<ArgumentException>(() => SmallAddresser.Append(new AddressWindow(3), [0], [], new long[27]));
        Assert.Throws<ArgumentException>(() => window.CopyFrom(new AddressWindow(3)));
        Assert.Throws<ArgumentException>(() => window.Advance([0, 1], [true]));
        SmallAddresser.Address([], [], 0, []);
    }

    [Fact]
    public void Impossible_specifications_name_the_value()
    {
        (AddressingSpec Spec, string Expected)[] wrong =
        [
            (Small with { CompressedVocabularySize = 0 }, "0 ids"),
            (Small with { CompressedVocabularySize = (1 << 29) + 1 }, "536870913 ids"),
            (Small with { Layers = [] }, "no layer"),
            (Small with { Layers = [-1] }, "[-1]"),
            (Small with { Layers = [2, 1] }, "[2, 1]"),
            (Small with { Layers = [1, 1] }, "[1, 1]"),
            (Small with { SlotsPerOrder = [] }, "no order"),
            (Small with { SlotsPerOrder = [13, 1] }, "1 slots"),
            (Small with { SlotsPerOrder = [long.MaxValue] }, "slots"),
            (Small with { HeadsPerOrder = 0 }, "0 heads"),
            (Small with { HeadsPerOrder = int.MaxValue }, "segments"),
            (Small with { Seed = -1 }, "-1"),
            (Small with { PadId = 311 }, "311"),
            (Small with { PadId = -1 }, "-1"),
        ];
        foreach (var (spec, expected) in wrong)
            Assert.Contains(
                expected,
                Assert.Throws<ArgumentException>(() => AddressingConstants.Derive(spec)).Message,
                StringComparison.Ordinal
            );
        Assert.Equal(Small, Small with { Layers = [0, 1, 5] });
        Assert.NotEqual(Small, Small with { Layers = [0, 1, 6] });
    }
}
