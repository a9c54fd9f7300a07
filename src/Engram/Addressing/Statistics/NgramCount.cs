using System.Runtime.InteropServices;

namespace Engram.Addressing.Statistics;

/// <summary>
/// An n-gram and how often it was seen. The n-gram is its N canonical ids side by side, the newest in the lowest bits: 128 bits hold orders
/// up to 7 of DeepSeek's 98,627 ids.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NgramCount : IComparable<NgramCount>
{
    private readonly ulong _high;
    private readonly ulong _low;

    /// <summary>How often; 0 marks a free slot of a table.</summary>
    public long Count;

    public NgramCount(UInt128 key, long count) => (_high, _low, Count) = ((ulong)(key >> 64), (ulong)key, count);

    /// <summary>The ids.</summary>
    public readonly UInt128 Key => new(_high, _low);

    /// <summary>Order of the keys.</summary>
    public readonly int CompareTo(NgramCount other) => _high != other._high ? _high.CompareTo(other._high) : _low.CompareTo(other._low);
}
