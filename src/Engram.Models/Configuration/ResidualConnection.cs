using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>Kind of residual connection.</summary>
public enum ResidualConnection
{
    /// <summary>One stream, x + F(norm(x)).</summary>
    [JsonStringEnumMemberName("plain")]
    Plain,

    /// <summary>Several streams with manifold-constrained hyper-connections (arXiv 2512.24880).</summary>
    [JsonStringEnumMemberName("mhc")]
    Mhc,

    /// <summary>Several streams with hyper-connections whose weights nothing constrains (arXiv 2409.19606).</summary>
    [JsonStringEnumMemberName("hc")]
    Hc,
}
