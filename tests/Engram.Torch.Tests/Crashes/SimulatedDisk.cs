using System.Text;

namespace Engram.Torch.Tests.Crashes;

/// <summary>
/// A disk that is driven by the recording of a process (recorder.c), and can be asked at any point what a crash of the machine would leave
/// of it.
/// </summary>
internal sealed class SimulatedDisk(string root)
{
    private enum Kind : byte
    {
        Open = 1,
        Write,
        Truncate,
        Sync,
        Rename,
        Link,
        Unlink,
        MakeFolder,
        RemoveFolder,
        Page,
        Unknown,
    }

    private readonly record struct Call(Kind Kind, uint File, long Offset, long Length, string One, string Two, byte[] Data);

    private readonly SimulatedFolder _root = SimulatedFolder.Durable(root);
    private readonly Dictionary<uint, object> _open = [];

    /// <summary>Plays a recording, and hands out the disk at some places of it, ascending.</summary>
    /// <param name="recording">What recorder.c wrote about the files below the root, which were as the root is now.</param>
    /// <param name="cuts">Numbers of calls before which the machine dies.</param>
    /// <param name="cut">Is given the number.</param>
    public void Play(string recording, IEnumerable<int> cuts, Action<int> cut)
    {
        using var places = cuts.Order().GetEnumerator();
        var more = places.MoveNext();
        var number = 0;
        foreach (var call in Read(recording))
        {
            for (; more && places.Current == number; more = places.MoveNext())
                cut(number);
            Apply(call);
            number++;
        }
    }

    /// <summary>Calls in a recording.</summary>
    public static int Count(string recording) => Read(recording).Count();

    /// <summary>Writes what a crash leaves.</summary>
    public void WriteTo(string folder, Random random) => _root.WriteTo(folder, random);

    private void Apply(Call call)
    {
        switch (call.Kind)
        {
            case Kind.Open:
                var (folder, name) = Find(call.One);
                if (name.Length > 0 && !folder.Entries.ContainsKey(name))
                {
                    Assert.True(call.Offset != 0, $"{call.One} was opened, but nobody made it: a call is not recorded.");
                    folder.Set(name, new SimulatedFile());
                }
                _open[call.File] = name.Length == 0 ? folder : folder.Entries[name];
                if (call.Length != 0)
                    File(call).Truncate(0);
                break;
            case Kind.Write or Kind.Page:
                File(call).Write(call.Offset, call.Data);
                break;
            case Kind.Truncate:
                File(call).Truncate(call.Length);
                break;
            case Kind.Sync when _open[call.File] is SimulatedFolder flushed:
                flushed.Flush();
                break;
            case Kind.Sync:
                File(call).Flush();
                break;
            case Kind.Rename:
                var (from, to) = (Find(call.One), Find(call.Two));
                Assert.Same(from.Folder, to.Folder);
                from.Folder.Rename(from.Name, to.Name);
                break;
            case Kind.Link:
                var (source, target) = (Find(call.One), Find(call.Two));
                target.Folder.Set(target.Name, source.Folder.Entries[source.Name]);
                break;
            case Kind.Unlink or Kind.RemoveFolder:
                var gone = Find(call.One);
                gone.Folder.Set(gone.Name, null);
                break;
            case Kind.MakeFolder:
                var made = Find(call.One);
                made.Folder.Set(made.Name, new SimulatedFolder());
                break;
            default:
                throw new NotSupportedException($"The process called {call.One}, which is not simulated.");
        }
    }

    private SimulatedFile File(Call call) => (SimulatedFile)_open[call.File];

    private (SimulatedFolder Folder, string Name) Find(string path)
    {
        var folder = _root;
        var names = Path.GetRelativePath(root, path).Split(Path.DirectorySeparatorChar);
        if (names is ["."])
            return (folder, "");
        foreach (var name in names[..^1])
            folder = (SimulatedFolder)folder.Entries[name];
        return (folder, names[^1]);
    }

    private static IEnumerable<Call> Read(string recording)
    {
        using var stream = System.IO.File.OpenRead(recording);
        using var reader = new BinaryReader(stream);
        while (stream.Position < stream.Length)
            yield return new Call(
                (Kind)reader.ReadByte(),
                reader.ReadUInt32(),
                reader.ReadInt64(),
                reader.ReadInt64(),
                Text(reader),
                Text(reader),
                reader.ReadBytes(reader.ReadInt32())
            );

        static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes(reader.ReadInt32()));
    }
}
