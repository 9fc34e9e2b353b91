namespace Distributed.Faults;

/// <summary>One kind of fault: it disturbs runs, and says what must hold all the same.</summary>
internal interface IFaultRow
{
    /// <summary>What the command line calls it.</summary>
    string Name { get; }

    /// <summary>Injects the faults and checks the runs; what does not hold is told to <see cref="FaultLab"/>. Throws where it cannot go on.</summary>
    Task RunAsync(FaultLab lab);
}
