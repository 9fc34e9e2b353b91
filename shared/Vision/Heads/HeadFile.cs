using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Distributed.Vision.Weights;
using TorchSharp;

namespace Distributed.Vision.Heads;

/// <summary>Reads a head's checkpoint: every value is checked, and every error names file and key.</summary>
internal sealed class HeadFile
{
    private const string FormatKey = "format";

    private readonly SafetensorsFile _file;
    private readonly long _length;

    public HeadFile(ReadOnlyMemory<byte> bytes, string source, string format)
    {
        _file = SafetensorsFile.Parse(bytes, source);
        _length = bytes.Length;
        if (Text(FormatKey) != format)
        {
            throw new WeightsException($"{source} is of the format '{Text(FormatKey)}', where '{format}' is expected.");
        }
    }

    /// <summary>What a file says that it is.</summary>
    public static string FormatOf(ReadOnlyMemory<byte> bytes, string source) =>
        SafetensorsFile.Parse(bytes, source).Metadata.GetValueOrDefault(FormatKey, "");

    public HeadDefinition Definition => new(Parse("kind", Enum.Parse<HeadKind>), Integers("hidden_sizes"), Double("dropout"));

    public static Dictionary<string, string> Describe(string format, HeadDefinition definition, int featureSize, int classes) =>
        new()
        {
            [FormatKey] = format,
            ["kind"] = definition.Kind.ToString(),
            ["hidden_sizes"] = string.Join(',', definition.HiddenSizes),
            ["dropout"] = ToText(definition.Dropout),
            ["features"] = ToText(featureSize),
            ["classes"] = ToText(classes),
        };

    public static string ToText(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    public HeadLayout Layout()
    {
        HeadLayout? layout = null;
        Check(() => layout = new HeadLayout(Definition, Integer("features"), Integer("classes")));

        // Before anything is allocated for numbers that are not there.
        return (long)layout!.Length * sizeof(float) <= _length
            ? layout
            : throw new WeightsException(
                $"{_file.Source} has {_length} bytes, too few for the {layout.Length} parameters that it describes."
            );
    }

    /// <summary>Runs a check of values that came from the file.</summary>
    public void Check(Action check)
    {
        try
        {
            check();
        }
        catch (ArgumentException failure)
        {
            throw new WeightsException($"{_file.Source} holds values that no training made: {failure.Message}", failure);
        }
    }

    public double[] Doubles(string key) =>
        Parse(key, text => text.Split(',').Select(part => double.Parse(part, NumberStyles.Float, CultureInfo.InvariantCulture)).ToArray());

    public int Integer(string key) => Parse(key, text => int.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));

    public long Long(string key) => Parse(key, text => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));

    public double Double(string key) => Parse(key, text => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));

    public bool Boolean(string key) => Parse(key, bool.Parse);

    public float[] Read(string name, int length)
    {
        var values = new float[length];
        Read(name, values, length);
        return values;
    }

    public void Read(string name, Span<float> values, params ReadOnlySpan<long> shape) =>
        Fill(name, torch.ScalarType.Float32, MemoryMarshal.AsBytes(values), shape);

    public double[] ReadDoubles(string name, params ReadOnlySpan<long> shape)
    {
        // Checked before memory is taken for what a damaged header promises.
        var length = TensorTypes.ByteLength(torch.ScalarType.Float64, shape);
        if (length > _length)
        {
            throw new WeightsException($"{_file.Source} has {_length} bytes, too few for its tensor '{name}'.");
        }

        var values = new double[length / sizeof(double)];
        Fill(name, torch.ScalarType.Float64, MemoryMarshal.AsBytes(values.AsSpan()), shape);
        return values;
    }

    /// <summary>A list of numbers, as long as it is.</summary>
    public float[] ReadAll(string name) =>
        Read(name, _file.Tensors.TryGetValue(name, out var entry) && entry.Shape is [var length] ? (int)length : 0);

    private void Fill(string name, torch.ScalarType type, Span<byte> bytes, ReadOnlySpan<long> shape)
    {
        if (!_file.Tensors.TryGetValue(name, out var entry) || entry.Type != type || !shape.SequenceEqual(entry.Shape))
        {
            var found = entry is null ? "it is missing" : $"it is {entry.Type} [{string.Join(", ", entry.Shape)}]";
            throw new WeightsException(
                $"{_file.Source} needs a tensor '{name}' of {type} [{string.Join(", ", shape.ToArray())}]: {found}."
            );
        }

        _file.ReadBytes(name, bytes);
    }

    private int[] Integers(string key) =>
        Text(key).Length == 0
            ? []
            : Parse(
                key,
                text => text.Split(',').Select(part => int.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture)).ToArray()
            );

    public bool Has(string key) => _file.Metadata.ContainsKey(key);

    public string Text(string key) =>
        _file.Metadata.TryGetValue(key, out var text)
            ? text
            : throw new WeightsException($"{_file.Source} is no checkpoint of a head: its metadata has no '{key}'.");

    public T Parse<T>(string key, Func<string, T> parse)
    {
        var text = Text(key);
        try
        {
            return parse(text);
        }
        catch (Exception failure) when (failure is FormatException or OverflowException or ArgumentException or JsonException)
        {
            throw new WeightsException($"The metadata '{key}' of {_file.Source} is '{text}', which is not what belongs there.", failure);
        }
    }
}
