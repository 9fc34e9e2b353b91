using System.Diagnostics;

namespace Distributed.Fuzzing.Targets;

/// <summary>A parser that has one fault, at input 17: what the tests of the harness look for.</summary>
internal sealed class FaultyTarget(string fault) : FuzzTarget
{
    private const long At = 17;

    public override string Name => fault;

    protected override IReadOnlyList<byte[]> Seeds => [];

    public override byte[] Create(FuzzRandom random) => [random.Index == At ? (byte)1 : (byte)0];

    public override bool Parse(byte[] input)
    {
        if (input[0] == 0)
        {
            return true;
        }

        switch (fault)
        {
            case "throws":
                throw new InvalidOperationException("of the parser");
            case "dies":
                Process.GetCurrentProcess().Kill();
                break;
            case "hangs":
                Thread.Sleep(Timeout.Infinite);
                break;
            default:
                GC.KeepAlive(new byte[1 << 26]);
                break;
        }

        return true;
    }
}
