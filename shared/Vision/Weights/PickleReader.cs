using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Distributed.Vision.Weights;

/// <summary>
/// Runs the part of Python's pickle machine that checkpoints need. Nothing is imported and nothing is called: a name stands
/// for itself, and what a call would make is a value that does nothing, so that a file can describe data and nothing else.
/// </summary>
/// <remarks>
/// Opcodes: CPython's Lib/pickletools.py. Values come out as string, long, BigInteger, double, bool, null,
/// <see cref="PickleTuple"/>, List, <see cref="PickleDictionary"/>, <see cref="PickleObject"/> and <see cref="PickleOpaque"/>.
/// Strings are no longer than what is left of the input, and every other opcode takes a bounded amount of memory.
/// </remarks>
/// <param name="stream">Where the pickle lies; it may be followed by other things.</param>
/// <param name="limit">Position in the stream that the pickle cannot reach beyond.</param>
/// <param name="source">What errors call it.</param>
/// <param name="host">Decides which globals there are, and makes tensors.</param>
internal sealed class PickleReader(Stream stream, long limit, string source, IPickleHost host)
{
    private const int LongestInteger = 64;

    private static readonly object Mark = new();

    private readonly List<object?> _stack = [];
    private readonly Dictionary<long, object?> _memo = [];
    private readonly byte[] _buffer = new byte[8];

    /// <summary>Reads one pickle and leaves the stream behind its end.</summary>
    public object? Read()
    {
        while (true)
        {
            var opcode = ReadByte();
            if (opcode == '.')
            {
                return Pop();
            }

            Execute(opcode);
        }
    }

    private void Execute(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                var protocol = ReadByte();
                if (protocol > 5)
                {
                    throw Error($"is written in pickle protocol {protocol}; up to 5 is known");
                }

                break;
            case 0x95: // FRAME
                ReadFixed(8);
                break;
            case (byte)'(': // MARK
                _stack.Add(Mark);
                break;
            case (byte)'N': // NONE
                _stack.Add(null);
                break;
            case 0x88: // NEWTRUE
                _stack.Add(true);
                break;
            case 0x89: // NEWFALSE
                _stack.Add(false);
                break;
            case (byte)'J': // BININT
                _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(ReadFixed(4)));
                break;
            case (byte)'K': // BININT1
                _stack.Add((long)ReadByte());
                break;
            case (byte)'M': // BININT2
                _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(ReadFixed(2)));
                break;
            case 0x8A: // LONG1
                var integer = ReadInteger(ReadByte());
                _stack.Add(integer >= long.MinValue && integer <= long.MaxValue ? (object)(long)integer : integer);
                break;
            case 0x8B: // LONG4
                _stack.Add(ReadInteger(BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(4))));
                break;
            case (byte)'G': // BINFLOAT
                _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(ReadFixed(8)));
                break;
            case (byte)'X': // BINUNICODE
                _stack.Add(ReadText(BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(4)), Encoding.UTF8));
                break;
            case 0x8C: // SHORT_BINUNICODE
                _stack.Add(ReadText(ReadByte(), Encoding.UTF8));
                break;
            case 0x8D: // BINUNICODE8
                _stack.Add(ReadText(ReadLength8(), Encoding.UTF8));
                break;
            case (byte)'C': // SHORT_BINBYTES
                SkipBytes(ReadByte());
                break;
            case (byte)'B': // BINBYTES
                SkipBytes(BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(4)));
                break;
            case 0x8E or 0x96: // BINBYTES8, BYTEARRAY8
                SkipBytes(ReadLength8());
                break;
            case (byte)'T': // BINSTRING, of Python 2
                _stack.Add(ReadText(BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(4)), Encoding.Latin1));
                break;
            case (byte)'U': // SHORT_BINSTRING, of Python 2
                _stack.Add(ReadText(ReadByte(), Encoding.Latin1));
                break;
            case (byte)'q': // BINPUT
                _memo[ReadByte()] = Peek();
                break;
            case (byte)'r': // LONG_BINPUT
                _memo[BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(4))] = Peek();
                break;
            case 0x94: // MEMOIZE
                _memo[_memo.Count] = Peek();
                break;
            case (byte)'h': // BINGET
                _stack.Add(Recall(ReadByte()));
                break;
            case (byte)'j': // LONG_BINGET
                _stack.Add(Recall(BinaryPrimitives.ReadUInt32LittleEndian(ReadFixed(4))));
                break;
            default:
                ExecuteOnObjects(opcode);
                break;
        }
    }

    private void ExecuteOnObjects(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'0': // POP
                Pop();
                break;
            case (byte)'1': // POP_MARK
                PopToMark();
                break;
            case (byte)')': // EMPTY_TUPLE
                _stack.Add(new PickleTuple([]));
                break;
            case 0x85 or 0x86 or 0x87: // TUPLE1, TUPLE2, TUPLE3
                _stack.Add(new PickleTuple(PopFrom(Math.Max(_stack.Count - (opcode - 0x84), 0))));
                break;
            case (byte)'t': // TUPLE
                _stack.Add(new PickleTuple(PopToMark()));
                break;
            case (byte)']': // EMPTY_LIST
                _stack.Add(new List<object?>());
                break;
            case (byte)'a': // APPEND
                var item = Pop();
                Append(opcode, [item]);
                break;
            case (byte)'e': // APPENDS
                Append(opcode, PopToMark());
                break;
            case 0x8F: // EMPTY_SET
                _stack.Add(PickleOpaque.Set);
                break;
            case 0x90: // ADDITEMS
                PopToMark();
                Top<PickleOpaque>(opcode);
                break;
            case 0x91: // FROZENSET
                PopToMark();
                _stack.Add(PickleOpaque.Set);
                break;
            case (byte)'}': // EMPTY_DICT
                _stack.Add(new PickleDictionary());
                break;
            case (byte)'s': // SETITEM
                var value = Pop();
                var key = Pop();
                Set(Dictionary(opcode), key, value);
                break;
            case (byte)'u': // SETITEMS
                var pairs = PopToMark();
                var dictionary = Dictionary(opcode);
                for (var i = 0; i + 1 < pairs.Length; i += 2)
                {
                    Set(dictionary, pairs[i], pairs[i + 1]);
                }

                break;
            case (byte)'c': // GLOBAL
                _stack.Add(Import(ReadLine(), ReadLine()));
                break;
            case 0x93: // STACK_GLOBAL
                var name = Pop();
                var module = Pop();
                _stack.Add(Import(module as string, name as string));
                break;
            case (byte)'Q': // BINPERSID
                _stack.Add(host.Resolve(Pop()));
                break;
            case (byte)'R' or 0x81: // REDUCE, NEWOBJ
                Call();
                break;
            case 0x92: // NEWOBJ_EX: the arguments by name stand above the others
                Pop();
                Call();
                break;
            case (byte)'b': // BUILD
                // State dicts carry their version so; no other value here has attributes that matter.
                var state = Pop();
                if (Top<object>(opcode) is PickleObject built)
                {
                    built.State = state;
                }

                break;
            default:
                throw Error($"uses the pickle opcode 0x{opcode:x2} at byte {stream.Position - 1}, which checkpoints have no need of");
        }
    }

    private void Call()
    {
        var arguments = Pop() as PickleTuple ?? throw Error("calls something without a tuple of arguments");
        var global = Pop() as PickleGlobal ?? throw Error("calls something that is no global");
        _stack.Add(host.Call(global, arguments.Items));
    }

    private PickleGlobal Import(string? module, string? name)
    {
        var global = new PickleGlobal($"{module}.{name}");
        return host.Allows(global)
            ? global
            : throw Error(
                $"asks for '{Shorten(global.Name)}', which runs programs or code when Python opens it, and has no place among "
                    + "weights; it is refused"
            );
    }

    private void Append(byte opcode, ReadOnlySpan<object?> items)
    {
        switch (Top<object>(opcode))
        {
            case List<object?> list:
                list.AddRange(items);
                break;
            case PickleObject:
                // Lists of other classes hold histories of training and the like.
                break;
            default:
                throw Misapplied(opcode);
        }
    }

    private PickleDictionary Dictionary(byte opcode) =>
        Top<object>(opcode) switch
        {
            PickleDictionary dictionary => dictionary,
            PickleObject derived => derived.MakeItems(),
            _ => throw Misapplied(opcode),
        };

    private static void Set(PickleDictionary dictionary, object? key, object? value)
    {
        // Optimizers number their states. Nobody looks these up, and numbers that fall into one bucket would make a small file take hours.
        if (key is string name)
        {
            dictionary[name] = value;
        }
    }

    private object? Peek() => _stack.Count > 0 ? _stack[^1] : throw Error("takes from an empty stack");

    private object? Pop()
    {
        var value = Peek();
        if (ReferenceEquals(value, Mark))
        {
            throw Error("takes a mark for a value");
        }

        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private T Top<T>(byte opcode)
        where T : class => Peek() is T value && !ReferenceEquals(value, Mark) ? value : throw Misapplied(opcode);

    private object?[] PopToMark()
    {
        var mark = _stack.Count - 1;
        while (mark >= 0 && !ReferenceEquals(_stack[mark], Mark))
        {
            mark--;
        }

        if (mark < 0)
        {
            throw Error("lacks a mark");
        }

        var items = PopFrom(mark + 1);
        _stack.RemoveAt(mark);
        return items;
    }

    private object?[] PopFrom(int start)
    {
        var items = _stack.GetRange(start, _stack.Count - start).ToArray();
        if (items.Any(item => ReferenceEquals(item, Mark)))
        {
            throw Error("takes a mark for a value");
        }

        _stack.RemoveRange(start, items.Length);
        return items;
    }

    private object? Recall(long index) =>
        _memo.TryGetValue(index, out var value) ? value : throw Error($"recalls the object {index}, which it never stored");

    private BigInteger ReadInteger(long length)
    {
        if (length > LongestInteger)
        {
            throw Error($"has an integer of {length} bytes");
        }

        var bytes = new byte[length];
        Fill(bytes);
        return new BigInteger(bytes);
    }

    private string ReadText(long length, Encoding encoding)
    {
        if (length > limit - stream.Position)
        {
            throw Error($"has a string of {length} bytes, where {limit - stream.Position} are left");
        }

        var bytes = new byte[length];
        Fill(bytes);
        return encoding.GetString(bytes);
    }

    private long ReadLength8() => (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(ReadFixed(8)), long.MaxValue);

    private void SkipBytes(long length)
    {
        if (length > limit - stream.Position)
        {
            throw Error($"has {length} bytes in one piece, where {limit - stream.Position} are left");
        }

        stream.Position += length;
        _stack.Add(PickleOpaque.Bytes);
    }

    private string ReadLine()
    {
        const int longest = 200;
        var line = new StringBuilder();
        for (var next = ReadByte(); next != '\n'; next = ReadByte())
        {
            line.Append((char)next);
            if (line.Length > longest)
            {
                throw Error($"asks for '{Shorten(line.ToString())}', which is no name");
            }
        }

        return line.ToString();
    }

    private byte ReadByte() => ReadFixed(1)[0];

    private ReadOnlySpan<byte> ReadFixed(int count)
    {
        Fill(_buffer.AsSpan(0, count));
        return _buffer.AsSpan(0, count);
    }

    private void Fill(Span<byte> bytes)
    {
        if (bytes.Length > limit - stream.Position || stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
        {
            throw Error("is cut off");
        }
    }

    private static string Shorten(string text) => text.Length > 100 ? text[..100] + "…" : text;

    private WeightsException Misapplied(byte opcode) => Error($"applies the opcode 0x{opcode:x2} to something else than it is for");

    private WeightsException Error(string what) => new($"The pickle of {source} {what}.");
}
