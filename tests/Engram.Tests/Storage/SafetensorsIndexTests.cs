using Engram.Storage;

namespace Engram.Tests.Storage;

public sealed class SafetensorsIndexTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();

    private string Folder => Path.GetDirectoryName(_temporary.File("x"))!;

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void Shards_are_found_by_the_index_and_opened_one_by_one()
    {
        Shard("a.safetensors", "one", "two");
        File.WriteAllText(_temporary.File("b.safetensors"), "damaged");
        Index(
            """{"metadata": {"total_size": 12, "x": [1, {}]}, "weight_map": {"one": "a.safetensors", "two": "a.safetensors", "three": "b.safetensors"}}"""
        );
        var index = SafetensorsIndex.Open(Folder);
        Assert.Equal(["one", "three", "two"], index.Tensors.Order(StringComparer.Ordinal));
        Assert.True(index.Contains("three"));
        Assert.False(index.Contains("four"));
        using var file = index.OpenFileOf("two");
        Assert.Equal(_temporary.File("a.safetensors"), file.Path);
        Assert.Contains(
            "b.safetensors",
            Assert.Throws<InvalidDataException>(() => index.OpenFileOf("three")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains("'four'", Assert.Throws<InvalidDataException>(() => index.OpenFileOf("four")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_single_file_needs_no_index()
    {
        Assert.Throws<FileNotFoundException>(() => SafetensorsIndex.Open(Folder));
        Shard("model.safetensors", "one");
        Assert.Equal(["one"], SafetensorsIndex.Open(Folder).Tensors);
    }

    [Fact]
    public void A_shard_that_lacks_a_listed_tensor_is_refused()
    {
        Shard("a.safetensors", "one");
        Index("""{"weight_map": {"one": "a.safetensors", "two": "a.safetensors"}}""");
        var error = Assert.Throws<InvalidDataException>(() => SafetensorsIndex.Open(Folder).OpenFileOf("one"));
        Assert.Contains("tensor 'two' is missing", error.Message, StringComparison.Ordinal);
        Assert.StartsWith(_temporary.File("a.safetensors"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_that_do_not_exist_are_named()
    {
        Index("""{"weight_map": {"one": "a.safetensors"}}""");
        Assert.Contains(
            _temporary.File("a.safetensors"),
            Assert.Throws<FileNotFoundException>(() => SafetensorsIndex.Open(Folder)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("../outside.safetensors")]
    [InlineData("..\\\\outside.safetensors")]
    [InlineData("/etc/outside.safetensors")]
    [InlineData("C:outside.safetensors")]
    [InlineData("sub/inside.safetensors")]
    [InlineData("./a.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a.bin")]
    [InlineData("a\\u0000.safetensors")]
    [InlineData("a\\n.safetensors")]
    public void Files_elsewhere_are_refused(string file)
    {
        Index("{\"weight_map\": {\"one\": \"" + file + "\"}}");
        Assert.Contains(
            "of the same folder",
            Assert.Throws<InvalidDataException>(() => SafetensorsIndex.Open(Folder)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{}", "no 'weight_map'")]
    [InlineData("""{"weight_map": {}} x""", "not JSON")]
    [InlineData("""{"weight_map": {}, "weight_map": {}}""", "listed twice")]
    [InlineData("""{"metadata": 1, "metadata": 2, "weight_map": {}}""", "listed twice")]
    [InlineData("""{"weight_map": []}""", "not an object")]
    [InlineData("""{"weight_map": {"one": 1}}""", "not a string")]
    [InlineData("""{"weight_map": {"one": ["a.safetensors"]}}""", "not a string")]
    [InlineData("""{"weight_map": {"one": "a.safetensors", "one": "a.safetensors"}}""", "'one' is listed twice")]
    [InlineData("""{"weight_map": {"one": "a.safetensors", "\u006fne": "b.safetensors"}}""", "'one' is listed twice")]
    [InlineData("""{"weight_map": {"\ud800": "a.safetensors"}}""", "not JSON")]
    [InlineData("""{"metadata": [[[[[[[[[[1]]]]]]]]]], "weight_map": {}}""", "not JSON")]
    public void Damaged_indexes_are_one_error(string json, string expected)
    {
        Index(json);
        var error = Assert.Throws<InvalidDataException>(() => SafetensorsIndex.Open(Folder));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(_temporary.File(SafetensorsIndex.FileName), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_beyond_all_measure_is_not_read()
    {
        using (var stream = File.Create(_temporary.File(SafetensorsIndex.FileName)))
            stream.SetLength(1L << 40);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains(
            "are allowed",
            Assert.Throws<InvalidDataException>(() => SafetensorsIndex.Open(Folder)).Message,
            StringComparison.Ordinal
        );
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private void Index(string json) => File.WriteAllText(_temporary.File(SafetensorsIndex.FileName), json);

    private void Shard(string file, params string[] tensors)
    {
        var writer = new SafetensorsWriter();
        foreach (var tensor in tensors)
            writer.Add<float>(tensor, DType.F32, [1], 1);
        writer.Write(_temporary.File(file));
    }
}
