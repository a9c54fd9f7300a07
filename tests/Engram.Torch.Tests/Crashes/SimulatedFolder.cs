namespace Engram.Torch.Tests.Crashes;

/// <summary>
/// A folder as the system's cache and the device see it: its entries, and the changes since its last flush. After a crash the device may
/// have the first of them, or any of them.
/// </summary>
internal sealed class SimulatedFolder
{
    private readonly Dictionary<string, object> _durable = new(StringComparer.Ordinal);
    private readonly List<(string Name, object? Value, string? Gone)> _pending = [];

    /// <summary>Entries as programs see them: a <see cref="SimulatedFile"/> or a <see cref="SimulatedFolder"/> each.</summary>
    public Dictionary<string, object> Entries { get; } = new(StringComparer.Ordinal);

    public static SimulatedFolder Durable(string path)
    {
        var folder = new SimulatedFolder();
        foreach (var file in Directory.GetFiles(path))
            folder.Set(Path.GetFileName(file), SimulatedFile.Durable(File.ReadAllBytes(file)));
        foreach (var inner in Directory.GetDirectories(path))
            folder.Set(Path.GetFileName(inner), Durable(inner));
        folder.Flush();
        return folder;
    }

    /// <summary>Adds, replaces or removes an entry.</summary>
    public void Set(string name, object? value) => Change(name, value, null);

    /// <summary>Renames an entry within this folder: on the device both names change or none.</summary>
    public void Rename(string from, string to) => Change(to, Entries[from], from);

    public void Flush()
    {
        _durable.Clear();
        foreach (var (name, value) in Entries)
            _durable.Add(name, value);
        _pending.Clear();
    }

    /// <summary>What a crash leaves.</summary>
    public void WriteTo(string path, Random random)
    {
        Directory.CreateDirectory(path);
        var entries = new Dictionary<string, object>(_durable, StringComparer.Ordinal);
        var (inOrder, first) = (random.Next(2) == 0, random.Next(_pending.Count + 1));
        foreach (var (change, i) in _pending.Select((change, i) => (change, i)))
            if (inOrder ? i < first : random.Next(2) == 0)
                Apply(entries, change.Name, change.Value, change.Gone);
        foreach (var (name, entry) in entries)
            if (entry is SimulatedFile file)
                file.WriteTo(Path.Combine(path, name), random);
            else
                ((SimulatedFolder)entry).WriteTo(Path.Combine(path, name), random);
    }

    private void Change(string name, object? value, string? gone)
    {
        Apply(Entries, name, value, gone);
        _pending.Add((name, value, gone));
    }

    private static void Apply(Dictionary<string, object> entries, string name, object? value, string? gone)
    {
        if (gone is not null && entries.TryGetValue(gone, out var there) && ReferenceEquals(there, value))
            entries.Remove(gone);
        if (value is null)
            entries.Remove(name);
        else
            entries[name] = value;
    }
}
