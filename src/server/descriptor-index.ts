import { type AnyDesc, type DescFile, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Files by their name and by everything that is named in them. */
export interface DescriptorIndex {
  byName(name: string): DescFile | undefined;
  /** By the full name of a service, method, message, field, oneof, enum, enum value or extension. */
  bySymbol(symbol: string): DescFile | undefined;
  byExtension(extendee: string, number: number): DescFile | undefined;
  /** Numbers of the known extensions of a message; undefined if there is no such message. */
  extensionNumbers(extendee: string): readonly number[] | undefined;
}

/** Indexes the files and all that they import. */
export function indexDescriptors(roots: readonly DescFile[]): DescriptorIndex {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of roots.flatMap(withImports)) {
    const { name } = file.proto;
    if (files.has(name)) continue;
    files.set(name, file);
    for (const desc of nestedTypes(file)) {
      for (const symbol of symbolsOf(desc)) symbols.set(symbol, file);
      if (desc.kind === "message" && !extensions.has(desc.typeName)) {
        extensions.set(desc.typeName, new Map());
      }
      if (desc.kind === "extension") {
        const known = extensions.get(desc.extendee.typeName) ?? new Map<number, DescFile>();
        extensions.set(desc.extendee.typeName, known.set(desc.number, file));
      }
    }
  }
  return {
    byName: (name) => files.get(name),
    bySymbol: (symbol) => symbols.get(symbol),
    byExtension: (extendee, number) => extensions.get(extendee)?.get(number),
    extensionNumbers: (extendee) => {
      const known = extensions.get(extendee);
      return known === undefined ? undefined : [...known.keys()];
    },
  };
}

/** The file and all that it imports, directly or not, itself first. */
export function withImports(file: DescFile): DescFile[] {
  const found = new Set<DescFile>([file]);
  // A loop over a set also visits what is added on the way.
  for (const each of found) {
    for (const imported of each.dependencies) found.add(imported);
  }
  return [...found];
}

/** The file as its FileDescriptorProto in binary. */
export function encodeFile(file: DescFile): Uint8Array {
  let bytes = encodedFiles.get(file);
  if (bytes === undefined) {
    bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    encodedFiles.set(file, bytes);
  }
  return bytes;
}

const encodedFiles = new WeakMap<DescFile, Uint8Array>();

function symbolsOf(desc: AnyDesc): string[] {
  switch (desc.kind) {
    case "service":
      return [desc.typeName, ...desc.methods.map(({ name }) => `${desc.typeName}.${name}`)];
    case "message":
      return [
        desc.typeName,
        ...desc.fields.map(({ name }) => `${desc.typeName}.${name}`),
        ...desc.oneofs.map(({ name }) => `${desc.typeName}.${name}`),
      ];
    case "enum": {
      // The values of an enum are named beside it, not in it.
      const scope = desc.typeName.slice(0, desc.typeName.length - desc.name.length);
      return [desc.typeName, ...desc.values.map(({ name }) => scope + name)];
    }
    case "extension":
      return [desc.typeName];
    default:
      return [];
  }
}
