using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Distributed.Vision.Heads;

/// <summary>Numbers that one instruction works on, however many the processor takes.</summary>
internal unsafe interface ISimdVector<TSelf, T>
    where TSelf : struct, ISimdVector<TSelf, T>
    where T : unmanaged
{
    /// <summary>How many.</summary>
    static abstract int Count { get; }

    /// <summary>Reads them.</summary>
    static abstract TSelf Load(T* source);

    /// <summary>The same number in each.</summary>
    static abstract TSelf Create(T value);

    /// <summary>left × right + addend, rounded once.</summary>
    static abstract TSelf MultiplyAdd(TSelf left, TSelf right, TSelf addend);

    /// <summary>Writes them.</summary>
    void Store(T* target);

    /// <summary>Their sum.</summary>
    T Sum();
}

/// <summary>32 bytes.</summary>
internal readonly unsafe struct SimdVector256<T>(Vector256<T> values) : ISimdVector<SimdVector256<T>, T>
    where T : unmanaged
{
    private readonly Vector256<T> _values = values;

    public static int Count => Vector256<T>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdVector256<T> Load(T* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdVector256<T> Create(T value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdVector256<T> MultiplyAdd(SimdVector256<T> left, SimdVector256<T> right, SimdVector256<T> addend) =>
        new(
            typeof(T) == typeof(float)
                ? Vector256.FusedMultiplyAdd(left._values.AsSingle(), right._values.AsSingle(), addend._values.AsSingle()).As<float, T>()
                : Vector256.FusedMultiplyAdd(left._values.AsDouble(), right._values.AsDouble(), addend._values.AsDouble()).As<double, T>()
        );

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(T* target) => _values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Sum() => Vector256.Sum(_values);
}

/// <summary>64 bytes.</summary>
internal readonly unsafe struct SimdVector512<T>(Vector512<T> values) : ISimdVector<SimdVector512<T>, T>
    where T : unmanaged
{
    private readonly Vector512<T> _values = values;

    public static int Count => Vector512<T>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdVector512<T> Load(T* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdVector512<T> Create(T value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdVector512<T> MultiplyAdd(SimdVector512<T> left, SimdVector512<T> right, SimdVector512<T> addend) =>
        new(
            typeof(T) == typeof(float)
                ? Vector512.FusedMultiplyAdd(left._values.AsSingle(), right._values.AsSingle(), addend._values.AsSingle()).As<float, T>()
                : Vector512.FusedMultiplyAdd(left._values.AsDouble(), right._values.AsDouble(), addend._values.AsDouble()).As<double, T>()
        );

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(T* target) => _values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Sum() => Vector512.Sum(_values);
}
