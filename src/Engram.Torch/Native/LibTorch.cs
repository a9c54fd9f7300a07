using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Engram.Torch.Native;

/// <summary>
/// Loads libtorch and TorchSharp's bridge, once per process, before TorchSharp looks for them itself: from the package cache instead of the
/// output folder, from <c>ENGRAM_LIBTORCH</c> if set, and in an edited copy where the host's C++ runtime is too old.
/// </summary>
/// <remarks>
/// Loading happens when the TorchSharp assembly enters the process, so a program that only reads configurations neither waits for it nor
/// needs the files. A failure is kept, not thrown, at that moment, because an exception there reaches the user wrapped and far from its
/// cause: <see cref="EnsureLoaded"/>, which <see cref="Devices.Parse"/> calls, throws it as one sentence.
/// </remarks>
public static class LibTorch
{
    // Each file needs the ones before it; loaded by absolute path, they are what later look-ups by bare name find.
    private static readonly string[] Files = ["libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so", "libtorch.so"];

    private static readonly Lazy<LibTorchException?> Failure = new(TryLoad);

    /// <summary>Makes sure that TorchSharp can be used. Cheap after the first call; safe from any thread.</summary>
    /// <exception cref="LibTorchException">The library cannot be loaded here; the same error at every call.</exception>
    public static void EnsureLoaded()
    {
        if (Failure.Value is { } failure)
            throw new LibTorchException(failure.Message, failure);
    }

    /// <summary>
    /// Arranges that the natives are loaded when the TorchSharp assembly is, or at once if it is there already. Assemblies that use
    /// TorchSharp call this from a module initializer.
    /// </summary>
    public static void LoadWithTorchSharp()
    {
        AppDomain.CurrentDomain.AssemblyLoad += (_, loaded) => LoadIfTorchSharp(loaded.LoadedAssembly.GetName().Name);
        foreach (var assembly in AppDomain.CurrentDomain.GetAssemblies())
            LoadIfTorchSharp(assembly.GetName().Name);
    }

    [ModuleInitializer]
    [SuppressMessage(
        "Usage",
        "CA2255",
        Justification = "The natives must be in place before the first TorchSharp type, whichever class of this assembly is used first."
    )]
    internal static void Initialize() => LoadWithTorchSharp();

    private static void LoadIfTorchSharp(string? assembly)
    {
        if (assembly == "TorchSharp")
            _ = Failure.Value;
    }

    private static LibTorchException? TryLoad()
    {
        try
        {
            Load();
            return null;
        }
        catch (LibTorchException e)
        {
            // TorchSharp's answer to a failed load is to copy half a gigabyte from the package cache into a folder cpu/ beside the program
            // and to fail again. A cache that is not there spares that, whoever goes on without asking EnsureLoaded.
            Environment.SetEnvironmentVariable("NUGET_PACKAGES", Path.Combine(AppContext.BaseDirectory, "no-package-cache"));
            return e;
        }
    }

    private static void Load()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new LibTorchException($"TorchSharp runs here on Linux x64 only, and this is {RuntimeInformation.RuntimeIdentifier}.");
        var folder = LibTorchFolder.FindLibTorch();
        foreach (var path in Files.Select(file => Path.Combine(folder, file)).Where(File.Exists))
            LoadFile(path);

        var bridge = LibTorchFolder.FindBridge();
        if (!NeedsEdit(bridge))
            return;
        LoadFile(PatchedBridge.For(bridge, PatchedBridge.DefaultCache()));
    }

    /// <summary>Loads the shipped bridge if the host allows it: an edited second copy must never join it.</summary>
    private static bool NeedsEdit(string bridge)
    {
        try
        {
            NativeLibrary.Load(bridge);
            return false;
        }
        catch (DllNotFoundException e) when (PatchedBridge.Cures(e.Message))
        {
            return true;
        }
        catch (DllNotFoundException e)
        {
            throw Unusable(bridge, e);
        }
    }

    private static void LoadFile(string path)
    {
        try
        {
            NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw Unusable(path, e);
        }
    }

    private static LibTorchException Unusable(string path, Exception e) =>
        new(
            $"{path} cannot be loaded ({e.Message.ReplaceLineEndings(" ").Trim()}): restore the packages, or check "
                + $"{LibTorchFolder.Variable}.",
            e
        );
}
