using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Engram.Models.Configuration;

/// <summary>
/// The random numbers that a model begins with: every parameter and table has a seed of its own, so that no value depends on the order in
/// which they are made.
/// </summary>
public static class StartingSeed
{
    /// <summary>The 64-bit seed that belongs to a name under a global seed: the first eight bytes of a SHA-256.</summary>
    /// <param name="seed">The global seed.</param>
    /// <param name="name">A parameter's checkpoint name, or a table's.</param>
    public static ulong For(long seed, string name) =>
        BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{name}")));
}
