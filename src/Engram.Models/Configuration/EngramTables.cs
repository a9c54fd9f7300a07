using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>What training does with the tables of a memory.</summary>
public enum EngramTables
{
    /// <summary>They are trained.</summary>
    [JsonStringEnumMemberName("trained")]
    Trained,

    /// <summary>
    /// They stay as they were made, random: the control that asks what the memory's own weights make of rows that know nothing. They have
    /// no optimizer and get no gradients.
    /// </summary>
    [JsonStringEnumMemberName("frozen")]
    Frozen,
}
