using System.Runtime.CompilerServices;

namespace Engram.Inference.Kernels;

/// <summary>
/// How the values of a matrix are stored: decodes some of a row. A type of its own per format, so that kernels are compiled for each.
/// </summary>
internal unsafe interface IStored
{
    /// <summary>Decodes as many values of a row as a register has.</summary>
    /// <param name="row">First byte of the row's values.</param>
    /// <param name="scales">The row's scales; not read by formats without them.</param>
    /// <param name="index">First value, a multiple of the register's width.</param>
    static abstract TLanes Load<TLanes>(byte* row, ushort* scales, int index)
        where TLanes : struct, ILanes<TLanes>;
}

/// <summary>Four bytes a value.</summary>
internal readonly unsafe struct StoredSingle : IStored
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, ushort* scales, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load((float*)row + index);
}

/// <summary>Two bytes a value.</summary>
internal readonly unsafe struct StoredHalf : IStored
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, ushort* scales, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load((ushort*)row + index);
}

/// <summary>A byte a value, a scale for each <see cref="Matrix.GroupSize"/>.</summary>
internal readonly unsafe struct StoredByte : IStored
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, ushort* scales, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load((sbyte*)row + index, scales + (uint)index / Matrix.GroupSize);
}

/// <summary>Half a byte a value, a scale for each <see cref="Matrix.GroupSize"/>.</summary>
internal readonly unsafe struct StoredNibble : IStored
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, ushort* scales, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load(row, index, scales + (uint)index / Matrix.GroupSize);
}
