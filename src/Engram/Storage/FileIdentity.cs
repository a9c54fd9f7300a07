using System.Runtime.InteropServices;

namespace Engram.Storage;

/// <summary>Which file a path leads to, through whatever links, and how much of the disk it occupies. Known on Linux alone.</summary>
/// <param name="Device">Number of the file system.</param>
/// <param name="Inode">Number of the file there.</param>
/// <param name="OccupiedBytes">Bytes of the disk; fewer than the length where the file has holes.</param>
internal readonly partial record struct FileIdentity(ulong Device, ulong Inode, long OccupiedBytes)
{
    // Numbers of Linux's <fcntl.h> and <linux/stat.h>; the structure is the same on every processor.
    private const int WorkingDirectory = -100;
    private const uint InodeAndBlocks = 0x100 | 0x400;
    private const int BlockSize = 512;

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(48)]
        public ulong Blocks;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }

    /// <summary>Asks the system; null if there is no such file or it is not known here.</summary>
    public static FileIdentity? Of(string path) =>
        OperatingSystem.IsLinux() && statx(WorkingDirectory, path, 0, InodeAndBlocks, out var status) == 0
            ? new FileIdentity((ulong)status.DeviceMajor << 32 | status.DeviceMinor, status.Inode, (long)status.Blocks * BlockSize)
            : null;

    /// <summary>Whether two paths lead to the same file or folder.</summary>
    public static bool AreSame(string path, string other) =>
        Path.GetFullPath(path) == Path.GetFullPath(other)
        || Of(path) is { } first && Of(other) is { } second && (first.Device, first.Inode) == (second.Device, second.Inode);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, out Status status);
}
