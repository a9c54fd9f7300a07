using Engram.Storage;

namespace Engram.Tests.Storage;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Text_is_written_as_UTF8_without_mark_and_replaces_what_was_there()
    {
        var path = _folder.File("a.txt");
        AtomicFile.WriteAllText(path, "a longer text that was there before");
        AtomicFile.WriteAllText(path, "Größe\n");

        Assert.Equal("Größe\n"u8.ToArray(), File.ReadAllBytes(path));
        Assert.Equal(["a.txt"], _folder.Names());
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_no_other()
    {
        var path = _folder.File("a.bin");
        AtomicFile.WriteAllBytes(path, new byte[] { 1, 2, 3 });

        var error = Assert.Throws<IOException>(() =>
            AtomicFile.Write(
                path,
                stream =>
                {
                    stream.Write(new byte[1_000_000]);
                    throw new IOException("No space left on device");
                }
            )
        );

        Assert.Equal("No space left on device", error.Message);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        Assert.Equal(["a.bin"], _folder.Names());
    }

    [Fact]
    public void A_failed_first_write_leaves_nothing()
    {
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(_folder.File("a"), _ => throw new InvalidOperationException()));
        Assert.Empty(_folder.Names());
    }

    [Fact]
    public void A_target_that_cannot_be_replaced_is_an_error_and_leaves_no_temporary()
    {
        Directory.CreateDirectory(_folder.File("folder"));
        Assert.ThrowsAny<Exception>(() => AtomicFile.WriteAllText(_folder.File("folder"), "text"));
        Assert.Empty(_folder.Names());
    }

    [Fact]
    public void A_missing_folder_is_an_error() =>
        Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.WriteAllText(_folder.File("missing/a.txt"), "text"));

    [Fact]
    public void The_content_may_be_written_out_of_order()
    {
        AtomicFile.Write(
            _folder.File("a"),
            stream =>
            {
                stream.Write([0, 0, 3]);
                stream.Position = 0;
                stream.Write([1, 2]);
            }
        );
        Assert.Equal([1, 2, 3], File.ReadAllBytes(_folder.File("a")));
    }
}
