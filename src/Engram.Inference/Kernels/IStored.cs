using System.Runtime.CompilerServices;

namespace Engram.Inference.Kernels;

/// <summary>
/// How the values of a matrix are stored: decodes some of a row. A type of its own per format, so that kernels are compiled for each.
/// </summary>
internal unsafe interface IStored
{
    /// <summary>Bits of a value, without its share of a scale.</summary>
    static abstract int Bits { get; }

    /// <summary>What the registers of one group share; nothing in formats without scales.</summary>
    /// <param name="scale">The group's; not read by formats without scales.</param>
    static abstract TLanes Scale<TLanes>(ushort* scale)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Decodes as many values of a row as a register has, all of one group.</summary>
    /// <param name="row">First byte of the row's values.</param>
    /// <param name="scale"><see cref="Scale"/> of the group.</param>
    /// <param name="index">First value; even in registers of several values.</param>
    static abstract TLanes Load<TLanes>(byte* row, TLanes scale, int index)
        where TLanes : struct, ILanes<TLanes>;
}

/// <summary><see cref="ValueFormat.Float32"/>: four bytes a value.</summary>
internal readonly unsafe struct StoredFloat32 : IStored
{
    public static int Bits => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale<TLanes>(ushort* scale)
        where TLanes : struct, ILanes<TLanes> => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, TLanes scale, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load((float*)row + index);
}

/// <summary><see cref="ValueFormat.BFloat16"/>: two bytes a value.</summary>
internal readonly unsafe struct StoredBFloat16 : IStored
{
    public static int Bits => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale<TLanes>(ushort* scale)
        where TLanes : struct, ILanes<TLanes> => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, TLanes scale, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load((ushort*)row + index);
}

/// <summary><see cref="ValueFormat.Int8"/>: a byte a value, a scale for each <see cref="Matrix.GroupSize"/>.</summary>
internal readonly unsafe struct StoredInt8 : IStored
{
    public static int Bits => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale<TLanes>(ushort* scale)
        where TLanes : struct, ILanes<TLanes> => TLanes.ByteScale(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, TLanes scale, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load((sbyte*)row + index, scale);
}

/// <summary><see cref="ValueFormat.Int4"/>: half a byte a value, a scale for each <see cref="Matrix.GroupSize"/>.</summary>
internal readonly unsafe struct StoredInt4 : IStored
{
    public static int Bits => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Scale<TLanes>(ushort* scale)
        where TLanes : struct, ILanes<TLanes> => TLanes.NibbleScale(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(byte* row, TLanes scale, int index)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load(row, index, scale);
}
