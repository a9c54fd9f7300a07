using Engram.Torch.Layers;
using Engram.Torch.Native;
using Engram.Training.Optimizers;
using Mono.Cecil;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Native;

public class ArithmeticTests
{
    [Fact]
    public void Operators_equal_those_of_the_library()
    {
        using var scope = NewDisposeScope();
        var (a, b, c) = (randn(5, 3), randn(5, 3), randn(5, 3));
        Same(a + b, a.Plus(b));
        Same(a + 0.3, a.Plus(0.3));
        Same(a + b, a.clone().Accumulate(b));
        Same(addcmul(a, b, c, 1), a.clone().Accumulate(b, c));
        Same(a + 1, a.clone().Increment());
        Same(a * 0.7, a.Times(0.7));
        Same(a.square(), a.Squared());
        Assert.True(nn.functional.softplus(a * 20).allclose((a * 20).Softplus(), 1e-6, 1e-7));
        Same(a.clamp_min(0.2), a.AtLeast(0.2));
        Same(a.to(ScalarType.Int64).ge(-1), a.to(ScalarType.Int64).IsAtLeast(-1));
        Same(full([5, 3], 1.5f), a.clone().Fill(1.5));
        Same(a.masked_fill(b.lt(0), 0), a.ZeroOutside(b.ge(0)));
        Same(a.masked_fill(b.lt(0), double.NegativeInfinity), a.NegativeInfinityOutside(b.ge(0)));
        Assert.Equal(a[1, 2].item<float>(), a[1, 2].Value());
        Assert.Equal(1.25, tensor(1.25, ScalarType.Float64).Value());
    }

    // One careless "a + b" in a training loop ends it once in some hundred thousand updates, which no run of a test shows. The code itself
    // does.
    [Fact]
    public void No_number_reaches_libtorch_that_nothing_holds()
    {
        var careless = CarelessMethods(typeof(TorchSharp.torch).Assembly.Location);
        string[] assemblies = ["Engram.Torch", "Engram.Evaluation", "Engram.Training", "Engram.Studies", "Engram.Cli"];
        Assert.Empty(assemblies.SelectMany(name => CarelessCalls(Path.Combine(AppContext.BaseDirectory, $"{name}.dll"), careless)));
        var here = CarelessCalls(typeof(ArithmeticTests).Assembly.Location, careless)
            .Where(call => call.Contains(nameof(Careless), StringComparison.Ordinal));
        Assert.Equal(["op_Addition", "op_Multiply", "square"], here.Select(call => call.Split("::")[^1].Split('(')[0]));
    }

    private static Tensor Careless(Tensor a) => (a + a.mean()) * 0.5 * a.square();

    private static IEnumerable<string> CarelessCalls(string path, HashSet<string> careless)
    {
        using var module = ModuleDefinition.ReadModule(path);
        foreach (var method in Methods(module))
        foreach (var called in Calls(method))
            if (
                (MakesScalar(called) && !Holders.Contains(method.DeclaringType.FullName))
                || (careless.Contains(called.GetElementMethod().FullName) && !HoldsArguments(method, called))
            )
                yield return $"{method.FullName} calls {called.FullName}";
    }

    // These keep the Scalars they make until the call has ended.
    private static readonly HashSet<string> Holders =
    [
        typeof(Arithmetic).FullName!,
        typeof(TorchScript).FullName!,
        $"{typeof(TorchScript).FullName}/<>c",
    ];

    // Of TorchScript all arguments are held; of the grouped product all are tensors, which the dispose scope of the model holds.
    private static bool HoldsArguments(MethodDefinition method, MethodReference called) =>
        called.Name == "invoke"
        && (
            method.DeclaringType.FullName == typeof(TorchScript).FullName || method.DeclaringType.FullName == typeof(GroupedMatmul).FullName
        );

    // Methods that make a Scalar and do not return it, and the methods that call those.
    private static HashSet<string> CarelessMethods(string path)
    {
        using var module = ModuleDefinition.ReadModule(path);
        var methods = Methods(module)
            .Where(method => !MakesScalar(method))
            .Select(method => (method.FullName, Calls: Calls(method).ToArray()))
            .ToArray();
        HashSet<string> careless = [.. methods.Where(method => method.Calls.Any(MakesScalar)).Select(method => method.FullName)];
        for (var before = -1; before != careless.Count; )
        {
            before = careless.Count;
            careless.UnionWith(
                methods
                    .Where(method => method.Calls.Any(called => careless.Contains(called.GetElementMethod().FullName)))
                    .Select(method => method.FullName)
            );
        }

        return careless;
    }

    private static bool MakesScalar(MethodReference method) =>
        method.Name is "ToScalar" or "ToBFloat16Scalar" || (method.Name == "op_Implicit" && method.DeclaringType.Name == "Scalar");

    private static IEnumerable<MethodDefinition> Methods(ModuleDefinition module) =>
        module.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody);

    private static IEnumerable<MethodReference> Calls(MethodDefinition method) =>
        method.Body.Instructions.Select(instruction => instruction.Operand).OfType<MethodReference>();

    private static void Same(Tensor expected, Tensor actual) => Assert.True(expected.Equals(actual), $"{expected} {actual}");
}
