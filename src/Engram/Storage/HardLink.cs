using System.Runtime.InteropServices;

namespace Engram.Storage;

/// <summary>A second name for a file: it costs no copy, and the content stays as long as one name does.</summary>
internal static partial class HardLink
{
    /// <summary>Gives a file a second name; where the file system has no such thing the file is copied.</summary>
    /// <exception cref="IOException">Neither can be done.</exception>
    public static void CreateOrCopy(string file, string newName)
    {
        if (!(OperatingSystem.IsWindows() ? CreateHardLink(newName, file, 0) : link(file, newName) == 0))
            File.Copy(file, newName);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string file, string newName);

    [LibraryImport("kernel32", EntryPoint = "CreateHardLinkW", StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateHardLink(string newName, string file, nint attributes);
}
