using System.Text;
using Distributed.Networks;
using Distributed.Vision.Tests.Weights;
using Distributed.Vision.Weights;
using static Distributed.Vision.Tests.Weights.PickleBuilder;

namespace Distributed.Fuzzing.Targets;

/// <summary>
/// A small network's state dict in a file of any format, nested, with prefixes and with foreign objects around it as drawn; and
/// whether it has to be found with its tensors, or refused for something that was drawn beside it.
/// </summary>
/// <remarks>An input is what is expected, one line, and the file. Where the file was changed at random, anything but a fault is right.</remarks>
internal sealed class WeightFileTarget : FuzzTarget
{
    private const string Found = "found";
    private const string Anything = "anything";
    private const int Count = 6;

    private static readonly string[] Names = ["conv0.weight", "norm0.bias", "denseblock1.denselayer1.norm1.weight", "norm5.running_var"];

    private static readonly BackboneNames Network = new(
        new NamedNetwork("toy", Names.ToDictionary(name => name, _ => new long[] { 2, 3 }), DenseNet.Family.CanonicalName)
    );

    private static readonly string[] Prefixes =
    [
        "",
        "features.",
        "module.",
        "module.features.",
        "model.",
        "backbone.",
        "_orig_mod.",
        "net.0.",
        "encoder.",
        "a.b.c.d.e.f.",
        "conv0.",
        "norm5.",
        "weird name/x.",
        "ü.",
        "features.features.",
    ];

    private static readonly string[] Keys =
    [
        "state_dict",
        "model",
        "model_state_dict",
        "module",
        "ema",
        "net",
        "weights",
        "",
        "a.b",
        "conv0.weight'",
        "['x']",
        "ключ",
        "optimizer",
    ];

    private static readonly (string Module, string Name)[] Classes =
    [
        ("argparse", "Namespace"),
        ("collections", "Counter"),
        ("collections", "defaultdict"),
        ("numpy.core.multiarray", "scalar"),
        ("datetime", "datetime"),
        ("pathlib", "PosixPath"),
        ("__main__", "Config"),
        ("omegaconf.dictconfig", "DictConfig"),
    ];

    private static readonly (string Module, string Name)[] Harmful =
    [
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "Popen"),
        ("builtins", "exec"),
        ("__builtin__", "eval"),
        ("runpy", "run_path"),
    ];

    public override string Name => "weight-files";

    protected override IReadOnlyList<byte[]> Seeds => [];

    public override byte[] Create(FuzzRandom random)
    {
        var drawn = new Drawing(random);
        var (expected, file) = random.OneIn(6) ? drawn.Safetensors() : drawn.Checkpoint();
        if (random.OneIn(8))
        {
            (expected, file) = (Anything, Mutation.Apply(file, [file], PickleTarget.Opcodes, keepsLength: true, random));
        }

        return [.. Encoding.UTF8.GetBytes(expected + "\n"), .. file];
    }

    public override bool Parse(byte[] input)
    {
        var end = Array.IndexOf(input, (byte)'\n');
        var expected = Encoding.UTF8.GetString(input.AsSpan(0, end));
        try
        {
            using var file = WeightFile.Parse(input[(end + 1)..], "The file");
            var tensors = Network.Find(file);
            var values = Names.Select(name => tensors.TryGetValue(name, out var tensor) ? file.Read(tensor).ToSingles() : []).ToList();
            Promise(expected is Found or Anything, $"what had to be refused for {expected} was accepted");
            for (var i = 0; expected == Found && i < Names.Length; i++)
            {
                Promise(tensors.Count == Names.Length && values[i].SequenceEqual(Values(i, 0)), $"the tensor {Names[i]} is another one");
            }

            return true;
        }
        catch (WeightsException refused)
        {
            Promise(expected != Found, $"the weights were not found: {refused.Message}");
            Promise(
                expected == Anything || refused.Message.Contains(expected, StringComparison.Ordinal),
                $"'{expected}' is not named: {refused.Message}"
            );
            return Refuse(refused.Message);
        }
    }

    private static float[] Values(int tensor, int copy) =>
        [.. Enumerable.Range(0, Count).Select(i => (float)((copy * 100) + (tensor * 10) + i))];

    /// <summary>One file.</summary>
    private sealed class Drawing(FuzzRandom random)
    {
        private readonly Dictionary<string, (long Count, byte[] Content)> _storages = [];
        private string _expected = Found;
        private bool _hasCopy;

        public (string Expected, byte[] File) Safetensors()
        {
            var tensors = new Dictionary<string, TensorData>();
            var prefix = random.Pick(Prefixes);
            for (var i = 0; i < Names.Length; i++)
            {
                tensors.Add(prefix + Spelt(Names[i]), TensorData.FromValues(Values(i, 0), 2, 3));
            }

            if (prefix.Length > 0 && random.OneIn(2))
            {
                tensors.TryAdd("other.weight", TensorData.FromValues([1f], 1));
            }

            if (random.OneIn(6))
            {
                tensors.Remove(prefix + Names[0]);
                tensors.Remove(prefix + Names[3]);
                tensors.Remove(prefix + Names[1]);
                _expected =
                    Names.Length - tensors.Keys.Count(name => name.StartsWith(prefix, StringComparison.Ordinal)) > 2
                        ? "none of the networks"
                        : Anything;
            }

            return (_expected, SafetensorsWriter.ToBytes(tensors));
        }

        public (string Expected, byte[] File) Checkpoint()
        {
            var value = StateDict(0, random.Pick(Prefixes));
            for (var depth = random.Below(5); depth > 0; depth--)
            {
                value = Wrap(value, depth);
            }

            var pickle = Build(value);
            return (
                _expected,
                random.OneIn(2)
                    ? TorchFiles.Zip(pickle, _storages.ToDictionary(pair => pair.Key, pair => pair.Value.Content))
                    : TorchFiles.Legacy(pickle, _storages)
            );
        }

        private Action<PickleBuilder> StateDict(int copy, string prefix)
        {
            var items = Names.Select((name, i) => (prefix + Spelt(name), Stored(Values(i, copy)))).ToList();
            if (random.OneIn(3))
            {
                items.Add((prefix + "norm0.num_batches_tracked", Stored([1])));
            }

            if (random.OneIn(3) && prefix.Length > 0)
            {
                items.Add(("classifier.weight", Stored([1])));
            }

            return random.Below(3) switch
            {
                0 => Dict(items),
                1 => Call("collections", "OrderedDict", [], Dict(("_metadata", Number(1))), items),
                _ => Call("my.code", "StateDict", [], items: items),
            };
        }

        private string Spelt(string name) => random.OneIn(4) ? name.Replace(".norm1.", ".norm.1.", StringComparison.Ordinal) : name;

        private Action<PickleBuilder> Stored(float[] values)
        {
            var key = $"{_storages.Count}";
            _storages.Add(key, (values.Length, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray()));
            return values.Length == Count
                ? Tensor("FloatStorage", key, 0, Count, 2, 3)
                : Tensor("FloatStorage", key, 0, values.Length, values.Length);
        }

        /// <summary>Puts a value into another one, with foreign objects beside it.</summary>
        private Action<PickleBuilder> Wrap(Action<PickleBuilder> value, int depth)
        {
            var items = new List<(string Key, Action<PickleBuilder> Value)> { (random.Pick(Keys), value) };
            for (var others = random.Below(4); others > 0; others--)
            {
                var key = random.Pick(Keys);
                if (items.All(item => item.Key != key))
                {
                    items.Insert(random.Below(items.Count + 1), (key, Other(depth)));
                }
            }

            return random.Below(5) switch
            {
                0 => List([.. items.Select(item => item.Value)]),
                1 => Tuple([.. items.Select(item => item.Value)]),
                2 => New("argparse", "Namespace", Dict(items)),
                3 => Call("collections", "OrderedDict", [], items: items),
                _ => Dict(items),
            };
        }

        private Action<PickleBuilder> Other(int depth)
        {
            switch (random.Below(12))
            {
                case 0:
                    return Number((long)random.Next());
                case 1:
                    return Double(0.1);
                case 2:
                    return None;
                case 3:
                    return Text(random.Pick(Keys));
                case 4:
                    return Bytes(random.Bytes(random.Below(40)));
                case 5:
                    return Set(Number(1), Text("a"));
                case 6:
                    return DictOf((Number(0), Dict(("exp_avg", Stored([1, 2])))), (Tuple(Number(1)), None));
                case 7:
                    return Dict(("layer1.weight", Stored([1])), ("fc.bias", Stored([2])));
                case 8 when random.OneIn(3):
                    var (module, name) = random.Pick(Harmful);
                    _expected = _expected == Found ? $"{module}.{name}" : Anything;
                    return Call(module, name, [Text("echo harm")]);
                case 9 when !_hasCopy && random.OneIn(2):
                    _hasCopy = true;
                    var differs = random.OneIn(2);
                    _expected = differs ? (_expected == Found ? "twice" : Anything) : _expected;
                    return StateDict(differs ? 1 : 0, random.Pick(Prefixes));
                default:
                    var (where, what) = random.Pick(Classes);
                    return random.OneIn(2)
                        ? Call(where, what, [Number(1), Text("x")], depth > 1 ? Dict(("lr", Double(1))) : null)
                        : New(
                            where,
                            what,
                            Dict(("lr", Double(1)), ("names", List(Text("a"), None))),
                            items: random.OneIn(2) ? [("k", Number(1))] : null
                        );
            }
        }
    }
}
