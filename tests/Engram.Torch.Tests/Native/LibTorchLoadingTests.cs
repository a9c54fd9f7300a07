using System.Security.Cryptography;
using Engram.Torch.Native;
using TorchSharp;

namespace Engram.Torch.Tests.Native;

public sealed class LibTorchLoadingTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("engram-native-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Loading_again_does_nothing()
    {
        LibTorch.EnsureLoaded();
        LibTorch.EnsureLoaded();
        Assert.Equal(1, Loaded("libtorch_cpu.so"));
    }

    [Fact]
    public async Task Processes_that_start_together_share_one_edited_copy_and_the_next_one_reuses_it()
    {
        var bridge = LibTorchFolder.FindBridge();
        var original = SHA256.HashData(File.ReadAllBytes(bridge));
        (string, string?)[] cache = [("XDG_CACHE_HOME", _folder.FullName)];
        Task[] together = [Child(nameof(Uses_one_copy_of_each_library), cache), Child(nameof(Uses_one_copy_of_each_library), cache)];
        await Task.WhenAll(together);

        var copies = _folder.GetFiles("*", SearchOption.AllDirectories);
        if (copies.Length == 0)
            Assert.Skip("This host's C++ runtime needs no edited copy.");
        var copy = Assert.Single(copies);
        var written = copy.LastWriteTimeUtc;

        await Child(nameof(Uses_one_copy_of_each_library), cache);
        copy.Refresh();
        Assert.Equal(written, copy.LastWriteTimeUtc);
        Assert.Equal(original, SHA256.HashData(File.ReadAllBytes(bridge)));
    }

    [Fact]
    public async Task A_half_written_copy_is_replaced()
    {
        var bridge = LibTorchFolder.FindBridge();
        var copy = PatchedBridge.For(bridge, _folder.FullName);
        var whole = File.ReadAllBytes(copy);
        File.WriteAllBytes(copy, whole[..1000]);
        Assert.Equal(copy, PatchedBridge.For(bridge, _folder.FullName));
        Assert.Equal(whole, await File.ReadAllBytesAsync(copy, TestContext.Current.CancellationToken));
        Assert.Single(_folder.GetFiles("*", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_named_with_the_remedy()
    {
        var notAFolder = Path.Combine(_folder.FullName, "file");
        File.WriteAllText(notAFolder, "");
        var error = Assert.Throws<LibTorchException>(() => PatchedBridge.For(LibTorchFolder.FindBridge(), notAFolder));
        Assert.Contains(notAFolder, error.Message);
        Assert.Contains("XDG_CACHE_HOME", error.Message);
    }

    [Theory]
    [InlineData("version.py", "__version__ = '2.9.1+cpu'\ndebug = False\n", "2.9.1+cpu")]
    [InlineData("version.py", "from typing import Optional\n__version__: str = \"2.100.0\"\n", "2.100.0")]
    [InlineData("version.py", "debug = False\n", "of unknown version")]
    [InlineData("build-version", "2.1.0+cu121\n", "2.1.0+cu121")]
    public void Another_version_is_refused_by_name(string file, string content, string version)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, file), content);
        var error = Assert.Throws<LibTorchException>(() => FindWithVariable(FolderWith("libtorch_cpu.so")));
        Assert.Contains(version, error.Message);
        Assert.Contains("ENGRAM_LIBTORCH", error.Message);
    }

    [Theory]
    [InlineData("version.py", "__version__ = '2.10.0+cu128'\n")]
    [InlineData("build-version", "2.10.0+cpu\n")]
    [InlineData("README", "no version at all")]
    public void A_folder_of_the_same_version_is_chosen(string file, string content)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, file), content);
        var lib = FolderWith("libtorch_cpu.so");
        Assert.Equal(lib, FindWithVariable(lib));
    }

    [Fact]
    public Task A_chosen_folder_is_loaded_and_no_other()
    {
        var lib = FolderWith();
        foreach (var path in Directory.GetFiles(LibTorchFolder.FindLibTorch()))
            File.CreateSymbolicLink(Path.Combine(lib, Path.GetFileName(path)), path);
        return Child(nameof(Uses_one_copy_of_each_library), ("ENGRAM_LIBTORCH", lib));
    }

    [Fact]
    public void A_folder_without_the_library_is_named()
    {
        var nowhere = Path.Combine(_folder.FullName, "nowhere");
        Assert.Contains(nowhere, Assert.Throws<LibTorchException>(() => FindWithVariable(nowhere)).Message);
    }

    [Fact]
    public Task A_damaged_library_is_one_sentence_and_no_copy_of_the_package() =>
        Child(
            nameof(Fails_in_one_sentence),
            ("ENGRAM_LIBTORCH", FolderWith("libtorch_cpu.so")),
            ("EXPECTED", "libtorch_cpu.so cannot be loaded")
        );

    [Fact]
    public void The_package_cache_holds_the_versions_named_as_last_resort()
    {
        // The same folders as the build wrote into runtimeconfig.json, found without it.
        Assert.Equal(AppContext.GetData("Engram.LibTorchDirectory"), LibTorchFolder.InPackageCache(LibTorchFolder.Package));
        Assert.Equal(AppContext.GetData("Engram.LibTorchSharpDirectory"), LibTorchFolder.InPackageCache(LibTorchFolder.BridgePackage));
    }

    [Fact(Explicit = true)]
    public void Uses_one_copy_of_each_library()
    {
        using var x = torch.ones(3);
        Assert.Equal(3f, x.sum().item<float>());
        Assert.Equal(1, Loaded("libtorch_cpu.so"));
        Assert.Equal(1, Loaded("libLibTorchSharp.so"));
        Assert.False(Directory.Exists(Path.Combine(AppContext.BaseDirectory, "cpu")));
    }

    [Fact(Explicit = true)]
    public void Fails_in_one_sentence()
    {
        var error = Assert.Throws<LibTorchException>(() => Devices.Parse("cpu"));
        Assert.Contains(Environment.GetEnvironmentVariable("EXPECTED")!, error.Message);
        Assert.Contains("ENGRAM_LIBTORCH", error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Throws<TypeInitializationException>(() => torch.ones(3)); // what follows for whoever goes on regardless...
        Assert.False(Directory.Exists(Path.Combine(AppContext.BaseDirectory, "cpu"))); // ...is at least no 500 MB copy
    }

    private static Task Child(string method, params (string, string?)[] environment) =>
        ChildProcess.Passes(typeof(LibTorchLoadingTests), method, environment);

    private static string FindWithVariable(string folder)
    {
        var before = Environment.GetEnvironmentVariable("ENGRAM_LIBTORCH");
        Environment.SetEnvironmentVariable("ENGRAM_LIBTORCH", folder);
        try
        {
            return LibTorchFolder.FindLibTorch();
        }
        finally
        {
            Environment.SetEnvironmentVariable("ENGRAM_LIBTORCH", before);
        }
    }

    private string FolderWith(params string[] files)
    {
        var lib = _folder.CreateSubdirectory("lib").FullName;
        foreach (var file in files)
            File.WriteAllText(Path.Combine(lib, file), "not a library");
        return lib;
    }

    private static int Loaded(string file) =>
        File.ReadLines("/proc/self/maps")
            .Where(line => line.EndsWith("/" + file, StringComparison.Ordinal))
            .Select(line => line[line.IndexOf('/')..])
            .Distinct()
            .Count();
}
