import type { Profile as WireProfile } from "../../../gen/usher/auth/v1/user_pb.ts";
import { invalid } from "../../base/errors.ts";
import { checkProfileSize } from "../accounts/profiles.ts";
import type { Profile } from "../repository.ts";
import { textField } from "./fields.ts";

const paths = {
  first_name: "firstName",
  last_name: "lastName",
  picture: "picture",
  locale: "locale",
  attributes: "attributes",
} as const satisfies Readonly<Record<string, keyof Profile>>;

const noProfile: Profile = {
  firstName: "",
  lastName: "",
  picture: "",
  locale: "",
  attributes: {},
};

/** A whole profile; one that is not set has every field empty. */
export function profileField(field: string, wire: WireProfile | undefined): Profile {
  if (wire === undefined) return noProfile;
  const text = (name: string, value: string): string =>
    textField(`${field}.${name}`, value, Number.POSITIVE_INFINITY);
  const attributes = Object.entries(wire.attributes).map(([key, value]): [string, string] => [
    text("attributes", key),
    text("attributes", value),
  ]);
  const profile = {
    firstName: text("first_name", wire.firstName),
    lastName: text("last_name", wire.lastName),
    picture: text("picture", wire.picture),
    locale: text("locale", wire.locale),
    attributes: Object.fromEntries(attributes),
  };
  checkProfileSize(field, profile);
  return profile;
}

/** The fields of a profile to write: those of the mask, or without one those that are not empty. */
export function profileChangeFields(profile: Profile, mask: readonly string[]): Partial<Profile> {
  const names =
    mask.length > 0
      ? mask.map(pathField)
      : Object.values(paths).filter((name) =>
          name === "attributes" ? Object.keys(profile[name]).length > 0 : profile[name] !== "",
        );
  return Object.fromEntries(names.map((name) => [name, profile[name]]));
}

function pathField(path: string): keyof Profile {
  if (!Object.hasOwn(paths, path)) {
    throw invalid("update_mask", `must be of ${Object.keys(paths).join(", ")}`);
  }
  return paths[path as keyof typeof paths];
}
