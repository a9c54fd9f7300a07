using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Engram.Torch.Tests.Architecture;

/// <summary>
/// What the compiled code of an assembly uses: every reference of a type to another, with the method or field that has it.
/// </summary>
internal static class TypeUses
{
    /// <summary>
    /// A reference of <paramref name="User"/> to <paramref name="Used"/>; both are types as files declare them, the outermost of nested
    /// ones.
    /// </summary>
    public readonly record struct Use(TypeDefinition User, TypeReference Used, string Where);

    public static IEnumerable<Use> In(AssemblyDefinition assembly) =>
        from type in assembly.MainModule.GetTypes()
        from reference in References(type)
        from used in Parts(reference.Type)
        select new Use((TypeDefinition)Outermost(type), Outermost(used), reference.Where);

    private static IEnumerable<(TypeReference? Type, string Where)> References(TypeDefinition type)
    {
        IEnumerable<(TypeReference? Type, string Where)> own =
        [
            (type.BaseType, type.FullName),
            .. type.Interfaces.Select(i => ((TypeReference?)i.InterfaceType, type.FullName)),
            .. Declared(type, type.FullName),
        ];
        return own.Concat(type.Fields.SelectMany(field => Attributes(field, field.FullName).Append((field.FieldType, field.FullName))))
            .Concat(type.Properties.SelectMany(property => Attributes(property, property.FullName)))
            .Concat(type.Methods.SelectMany(Of));
    }

    private static IEnumerable<(TypeReference? Type, string Where)> Of(MethodDefinition method)
    {
        IEnumerable<TypeReference?> signature = [method.ReturnType, .. method.Parameters.Select(parameter => parameter.ParameterType)];
        IEnumerable<TypeReference?> body = method.HasBody
            ?
            [
                .. method.Body.Variables.Select(variable => variable.VariableType),
                .. method.Body.ExceptionHandlers.Select(handler => handler.CatchType),
                .. method.Body.Instructions.SelectMany(Of),
            ]
            : [];
        return signature.Concat(body).Select(type => (type, method.FullName)).Concat(Declared(method, method.FullName));
    }

    private static IEnumerable<TypeReference?> Of(Instruction instruction) =>
        instruction.Operand switch
        {
            TypeReference type => [type],
            FieldReference field => [field.DeclaringType, field.FieldType],
            MethodReference method =>
            [
                method.DeclaringType,
                method.ReturnType,
                .. method.Parameters.Select(parameter => parameter.ParameterType),
                .. (method as GenericInstanceMethod)?.GenericArguments ?? [],
            ],
            _ => [],
        };

    private static IEnumerable<(TypeReference? Type, string Where)> Declared<T>(T member, string where)
        where T : IGenericParameterProvider, Mono.Cecil.ICustomAttributeProvider =>
        Attributes(member, where)
            .Concat(
                member
                    .GenericParameters.SelectMany(parameter => parameter.Constraints)
                    .Select(constraint => ((TypeReference?)constraint.ConstraintType, where))
            );

    private static IEnumerable<(TypeReference? Type, string Where)> Attributes(Mono.Cecil.ICustomAttributeProvider member, string where) =>
        member.CustomAttributes.Select(attribute => ((TypeReference?)attribute.AttributeType, where));

    // List<Tensor>[] is made of List and Tensor.
    private static IEnumerable<TypeReference> Parts(TypeReference? type) =>
        type switch
        {
            null or GenericParameter => [],
            GenericInstanceType generic => Parts(generic.ElementType).Concat(generic.GenericArguments.SelectMany(Parts)),
            RequiredModifierType modified => Parts(modified.ElementType).Concat(Parts(modified.ModifierType)),
            FunctionPointerType pointer => Parts(pointer.ReturnType)
                .Concat(pointer.Parameters.SelectMany(parameter => Parts(parameter.ParameterType))),
            TypeSpecification specification => Parts(specification.ElementType),
            _ => [type],
        };

    private static TypeReference Outermost(TypeReference type)
    {
        while (type.DeclaringType is { } outer)
            type = outer;
        return type;
    }
}
