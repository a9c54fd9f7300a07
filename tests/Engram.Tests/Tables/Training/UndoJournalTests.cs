using System.Numerics;
using System.Runtime.InteropServices;
using Engram.Tables;
using Engram.Tables.Training;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables.Training;

/// <summary>A table that is trained in place and returns to its checkpoints.</summary>
public sealed class UndoJournalTests : IDisposable
{
    private const string Tensor = "t.weight";
    private const int Rows = 60;
    private const int Width = 5;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> All => [.. Optimizers.Names];

    public void Dispose() => _folder.Dispose();

    /// <summary>Three checkpoints; back to the last, to the one before it, and onwards as if nothing had happened.</summary>
    [Theory, MemberData(nameof(All))]
    public void Journals_lead_back_from_checkpoint_to_checkpoint(string name)
    {
        using var table = Table();
        using var optimizer = Optimizers.Create(name, table, _folder.File("state"));
        var states = new List<(byte[] Table, byte[] State)>();
        for (var checkpoint = 0; checkpoint < 3; checkpoint++)
        {
            optimizer.CatchUp();
            states.Add(Files(optimizer));
            optimizer.Save(_folder.File($"rest-{checkpoint}"), Tensor);
            optimizer.Journal!.Begin(_folder.File($"undo-{checkpoint}"));
            for (var step = 0; step < 3; step++)
                Step(optimizer, 10 * checkpoint + step);
        }
        optimizer.CatchUp();
        var end = Files(optimizer);
        Assert.NotEqual(states[2].Table, end.Table);
        for (var checkpoint = 2; checkpoint >= 1; checkpoint--)
        {
            var changed = optimizer.Journal!.Undo(_folder.File($"undo-{checkpoint}"));
            Assert.InRange(changed, 1, Rows);
            Assert.Equal(states[checkpoint], Files(optimizer), Same);
            Assert.Equal(changed, optimizer.Journal.Undo(_folder.File($"undo-{checkpoint}"))); // once more: dying on the way costs nothing
            Assert.Equal(states[checkpoint], Files(optimizer), Same);
        }
        optimizer.Load(_folder.File("rest-1"), Tensor);
        for (var checkpoint = 1; checkpoint < 3; checkpoint++)
        for (var step = 0; step < 3; step++)
            Step(optimizer, 10 * checkpoint + step);
        optimizer.CatchUp();
        Assert.Equal(end, Files(optimizer), Same);
    }

    /// <summary>
    /// Wherever the file ends, the whole records before are put back, and a row whose record is cut had not been changed.
    /// </summary>
    [Fact]
    public void A_journal_cut_short_leads_back_as_far_as_it_reaches()
    {
        using var table = Table();
        using var optimizer = new RowAdam(table, stateFile: _folder.File("state"));
        var before = Optimizers.Bits(table);
        optimizer.Journal!.Begin(_folder.File("undo"));
        optimizer.Step([3, 40, 7], Enumerable.Repeat(1f, 3 * Width).ToArray(), 0.1);
        optimizer.Step([7, 9], Enumerable.Repeat(1f, 2 * Width).ToArray(), 0.1);
        Assert.Equal([3, 7, 9, 40], optimizer.Journal.ChangedRows());
        var after = Optimizers.Bits(table);
        var whole = File.ReadAllBytes(_folder.File("undo"));
        var record = (whole.Length - 40) / 4;
        long[] order = [3, 40, 7, 9];
        for (var length = 0; length <= whole.Length; length++)
        {
            File.WriteAllBytes(_folder.File("cut"), whole[..length]);
            var records = Math.Max(0, length - 40) / record;
            Assert.Equal(records, optimizer.Journal.Undo(_folder.File("cut")));
            var expected = (uint[])after.Clone();
            foreach (var row in order[..records])
                Array.Copy(before, row * Width, expected, row * Width, Width);
            Assert.Equal(expected, Optimizers.Bits(table));
        }
    }

    [Fact]
    public void A_damaged_journal_is_one_error_and_changes_nothing()
    {
        using var table = Table();
        using var optimizer = new RowAdam(table, stateFile: _folder.File("state"));
        optimizer.Journal!.Begin(_folder.File("undo"));
        Step(optimizer, 1);
        var damageable = new FileInfo(_folder.File("undo")).Length;
        // of its own append, so the first one was on the device
        optimizer.Step([.. Enumerable.Range(0, Rows).Select(row => (long)row)], new float[Rows * Width], 0.1);
        var whole = File.ReadAllBytes(_folder.File("undo"));
        var after = Optimizers.Bits(table);
        for (var at = 0; at < damageable; at += 3)
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 0x10;
            File.WriteAllBytes(_folder.File("damaged"), damaged);
            var error = Assert.Throws<InvalidDataException>(() => optimizer.Journal.Undo(_folder.File("damaged")));
            Assert.StartsWith(_folder.File("damaged"), error.Message, StringComparison.Ordinal);
            Assert.Equal(after, Optimizers.Bits(table));
        }

        EngramTable.CreateFile(_folder.File("other"), Tensor, Rows + 1, Width);
        using var otherTable = EngramTable.MapWritable(_folder.File("other"), Tensor);
        using var other = new RowAdam(otherTable, stateFile: _folder.File("other-state"));
        Assert.Contains(
            "not a journal of this table",
            Assert.Throws<InvalidDataException>(() => other.Journal!.Undo(_folder.File("undo"))).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>
    /// What the device had not taken when the machine died: any part of the last append, in any order, and the header of a journal that had
    /// just begun.
    /// </summary>
    [Fact]
    public void Records_of_the_last_append_may_be_missing_anywhere()
    {
        using var table = Table();
        using var optimizer = new RowAdam(table, stateFile: _folder.File("state"));
        var before = Optimizers.Bits(table);
        optimizer.Journal!.Begin(_folder.File("undo"));
        var header = File.ReadAllBytes(_folder.File("undo"));
        optimizer.Step([3, 40], Enumerable.Repeat(1f, 2 * Width).ToArray(), 0.1);
        optimizer.Step([7, 9, 11], Enumerable.Repeat(1f, 3 * Width).ToArray(), 0.1);
        var after = Optimizers.Bits(table);
        var whole = File.ReadAllBytes(_folder.File("undo"));
        var record = (whole.Length - header.Length) / 5;
        long[] order = [3, 40, 7, 9, 11];
        for (var missing = 0; missing < 8; missing++)
        {
            byte[] torn = [.. whole];
            var expected = (uint[])before.Clone();
            for (var i = 0; i < 3; i++)
                if ((missing >> i & 1) != 0)
                {
                    torn.AsSpan(header.Length + (2 + i) * record + 5, record - 9).Clear();
                    Array.Copy(after, order[2 + i] * Width, expected, order[2 + i] * Width, Width);
                }
            File.WriteAllBytes(_folder.File("torn"), torn);
            Assert.Equal(5 - BitOperations.PopCount((uint)missing), optimizer.Journal.Undo(_folder.File("torn")));
            Assert.Equal(expected, Optimizers.Bits(table));
            for (var i = 0; i < after.Length; i++)
                MemoryMarshal.Cast<float, uint>(table.Row(i / Width))[i % Width] = after[i];
        }

        File.WriteAllBytes(_folder.File("torn"), new byte[header.Length]);
        Assert.Equal(0, optimizer.Journal.Undo(_folder.File("torn")));
        Assert.Equal(after, Optimizers.Bits(table));
    }

    [Fact]
    public void Changed_rows_that_are_not_finite_are_found()
    {
        using var table = Table();
        using var optimizer = new RowAdagrad(table, stateFile: _folder.File("state"));
        table.Row(50)[1] = float.NaN;
        optimizer.Step([4], new float[Width], 0.1);
        Assert.Null(optimizer.Journal!.FirstChangedRowNotFinite());
        optimizer.Step([50], new float[Width], 0.1);
        Assert.Equal(50, optimizer.Journal.FirstChangedRowNotFinite());
    }

    /// <summary>/dev/full refuses every byte, as a full disk does.</summary>
    [Fact]
    public void A_full_disk_is_one_error_and_no_row_is_changed()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "There is no /dev/full.");
        using var table = Table();
        using var optimizer = new RowAdam(table, stateFile: _folder.File("state"));
        optimizer.Journal!.Begin(_folder.File("undo"));
        Step(optimizer, 1);
        var before = Optimizers.Bits(table);
        var error = Assert.ThrowsAny<IOException>(() => optimizer.Journal.Begin("/dev/full"));
        Assert.Contains("/dev/full", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Optimizers.Bits(table));
        optimizer.Journal.Begin(_folder.File("undo"));
        Step(optimizer, 2);
        Assert.NotEqual(before, Optimizers.Bits(table));
    }

    private EngramTable Table()
    {
        EngramTable.CreateFile(_folder.File("table"), Tensor, Rows, Width);
        var table = EngramTable.MapWritable(_folder.File("table"), Tensor);
        table.FillNormal(5, 0.1f);
        return table;
    }

    private (byte[] Table, byte[] State) Files(RowOptimizer optimizer)
    {
        optimizer.Flush();
        return (File.ReadAllBytes(_folder.File("table")), File.ReadAllBytes(_folder.File("state")));
    }

    private static bool Same((byte[] Table, byte[] State) one, (byte[] Table, byte[] State) other) =>
        one.Table.SequenceEqual(other.Table) && one.State.SequenceEqual(other.State);

    private static void Step(RowOptimizer optimizer, int seed)
    {
        var (rows, gradients) = Optimizers.Batch(new Random(seed), Rows, Width, 0.2);
        optimizer.Step(rows, gradients, 1e-2);
    }
}
