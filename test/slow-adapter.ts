/** Whether the tests run on SwiftShader, which takes minutes for what lavapipe does in seconds: there tests of many runs do fewer. */
export const SLOW = process.env.ILLUMINATOR_ADAPTER === 'swiftshader'
