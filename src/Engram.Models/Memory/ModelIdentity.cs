using System.Security.Cryptography;
using System.Text;
using Engram.Storage;
using Engram.Tables;

namespace Engram.Models.Memory;

/// <summary>
/// 64 bits that the files of one training have in common, in the metadata of the dense weights and of every table. Tables of another
/// training often have the same rows and width, and a model would read them without a word. Files from before there were identities have
/// none, and belong to each other.
/// </summary>
internal static class ModelIdentity
{
    private const int Digits = 16;

    /// <summary>Key of the metadata.</summary>
    public const string Key = TableFile.IdentityKey;

    /// <summary>The identity that follows from what decides a training: the same things in the same order give the same one.</summary>
    /// <param name="decisive">Text about each of them.</param>
    public static string Of(params ReadOnlySpan<string> decisive) =>
        Hash(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', decisive))));

    /// <summary>The identity in a file of weights; null if there is none, or no file.</summary>
    /// <exception cref="InvalidDataException">It is no valid safetensors file.</exception>
    public static string? Read(string weights)
    {
        if (!File.Exists(weights))
            return null;
        using var file = SafetensorsFile.Open(weights);
        return file.Metadata.GetValueOrDefault(Key);
    }

    /// <summary>The identity in a file of weights, or where there is none, one that no other file has.</summary>
    /// <exception cref="InvalidDataException">It is no valid safetensors file.</exception>
    public static string ReadOrHash(string weights)
    {
        if (Read(weights) is { } identity)
            return identity;
        using var content = File.OpenRead(weights);
        return Hash(SHA256.HashData(content));
    }

    /// <summary>Refuses a table of another training than the weights beside it.</summary>
    /// <param name="weights">Path of the weights.</param>
    /// <param name="expected">Their identity, or null.</param>
    /// <param name="file">Path of the table.</param>
    /// <param name="found">Its identity, or null.</param>
    /// <exception cref="InvalidDataException">They differ; the message names both files.</exception>
    public static void Require(string weights, string? expected, string file, string? found)
    {
        if (found != expected)
            throw new InvalidDataException(
                $"{file} is of another training than {weights}: its identity is {Shown(found)}, that of the weights {Shown(expected)}. "
                    + "Take weights and tables from one model folder."
            );
    }

    private static string Hash(byte[] hash) => Convert.ToHexStringLower(hash)[..Digits];

    private static string Shown(string? identity) =>
        identity switch
        {
            null => "none",
            { Length: > Digits } => identity[..Digits] + "…",
            _ => identity,
        };
}
